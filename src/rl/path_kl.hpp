#pragma once
/// Path KL of the policy to the pretrained process (paper eq. 16, Girsanov) and the exact KL of the two
/// discrete chains, both in nats and both from the score difference at the steps of the table
/// (docs/mathematics.md section 4).
#include "rl/score_policy.hpp"
#include "rl/trajectories.hpp"

#include <vector>

namespace scoreact {

class Communicator;

/// Evaluates the pretrained mean at batch.times of every sample and fills pretrained_mean, kl_step and
/// kl_chain_step (unweighted terms per step, [T, B] float64). `samples_per_call` samples, each with all
/// chosen times, make one network call.
void attach_pretrained(Trajectories& batch, ScorePolicy&, long samples_per_call);

/// sum over batch.times of weight times term, for each of this rank's samples, [B] float64.
at::Tensor integrate(const Trajectories& batch, const at::Tensor& per_step);

struct PathKl {
  std::vector<double> path, chain; ///< one a sample, nats
  long network_evaluations = 0;    ///< pretrained network, all ranks together
};
constexpr long kPathKlSamples = 32;
/// Network evaluations of estimate_path_kl in an epoch of `samples` with `steps` steps.
long path_kl_evaluations(long samples, long steps);
/// Estimate for algorithms without a KL term: on `samples` fixed samples (the first of the epoch), the last
/// steps and two random times. All ranks get the same numbers. Needs batch.mean.
PathKl estimate_path_kl(const Trajectories& batch, ScorePolicy&, const Communicator&,
                        long samples = kPathKlSamples);

} // namespace scoreact
