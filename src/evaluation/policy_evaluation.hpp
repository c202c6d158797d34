#pragma once
/// Draws samples of one policy through one step table on all ranks and scores them: reward, path KL and chain
/// KL to the pretrained process (paper eq. 16, docs/mathematics.md section 4), and the verdict of a judge
/// that was never a reward.
#include "evaluation/judge.hpp"
#include "evaluation/picture_reference.hpp"
#include "parallel/communicator.hpp"
#include "rewards/reward.hpp"
#include "rl/prompts.hpp"
#include "rl/rollout.hpp"

#include <memory>
#include <vector>

namespace scoreact {

/// Per-sample numbers of all ranks in global sample order; every rank holds all of them.
struct PolicyEvaluation {
  std::vector<double> reward;        ///< [n]
  std::vector<double> kl_path;       ///< [n] nats; NaN for a deterministic solver; empty if not asked for
  std::vector<double> kl_chain;      ///< [n] nats; NaN unless every transition is one Gaussian of the score
  std::vector<double> judged_right;  ///< [n] 1 where the judge sees what the prompt says; empty without judge
  std::vector<double> features;      ///< [m, d] of the first samples, m = wants.described at most
  std::vector<std::int64_t> prompts; ///< [n]
};

struct EvaluationParts {
  ScorePolicy& policy;
  std::shared_ptr<Reward> reward;
  std::shared_ptr<Judge> judge; ///< may be null
  const Prompts& prompts;       ///< samples take them in turn
  const Communicator& ranks;
  c10::Device device;
  long micro_batch = 64;
};

struct EvaluationWants {
  bool divergence = true;   ///< kl_path and kl_chain: needs the pretrained network at some of the steps
  PictureFeatures features; ///< of the drawn pictures; may be empty
  long described = 0;       ///< of so many samples, the first ones
};

/// The noise is keyed by `key`: the same key means the same noise for every policy. Collective.
PolicyEvaluation evaluate_policy(const EvaluationParts&, const StepTable&, long samples,
                                 const RolloutKey& key, const EvaluationWants&);

/// One weight a step, 0 for those that are left out: a stratified random subset of the steps with the last
/// tenth always in, so that sum_k weight_k f_k is an unbiased estimate of sum_k f_k. All of up to 10 steps;
/// beyond, the last tenth and a quarter of the rest. `micro_batch` counts micro-batches: each has its own
/// draw.
std::vector<double> divergence_weights(long num_steps, const RolloutKey& key, long micro_batch);

} // namespace scoreact
