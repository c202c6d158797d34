#pragma once
/// An algorithm learns from one rollout. Adding one: a file in src/rl/ that defines a class and its
/// make_name(), and one line in algorithms.inc.
#include "rl/policy_update.hpp"
#include "rl/score_policy.hpp"
#include "rl/trajectories.hpp"
#include "rl/value_function.hpp"

#include <map>
#include <memory>
#include <string>

namespace scoreact {

/// What one epoch of learning reports; all ranks hold the same numbers.
struct LearnReport {
  UpdateReport update;
  std::vector<double> kl_path, kl_chain; ///< one a sample that was evaluated, nats
  double value_mse = 0;                  ///< NaN-free: 0 for algorithms without a value function
  double advantage_std = 0;
  double value_time = 0, update_time = 0; ///< seconds
  long network_evaluations = 0; ///< scores of policy and pretrained network, all ranks; guidance not counted
};

/// What `learn` costs beside the update, known before it runs; all ranks together.
struct LearnCost {
  long network_evaluations = 0; ///< of the policy and the pretrained network, guidance not counted
  long rewards = 0;             ///< states that the reward judges
  long copies = 0;              ///< states that go through the value's copy of the reward's network
};

/// What every algorithm is built from.
struct AlgorithmContext {
  ScorePolicy& policy;
  std::shared_ptr<Reward> reward;
  const AlgorithmOptions& algorithm;
  const TrainOptions& train;
  const ValueOptions& value;
  const PromptStatOptions& prompt_stats;
  LearningRateOptions learning_rate;
  const Communicator& ranks;
  std::uint64_t seed = 0;
  bool deterministic = true;
};

class Algorithm {
 public:
  virtual ~Algorithm() = default;
  /// Updates the policy from a rollout whose reward is set. May attach times, KL terms, value and advantage
  /// to it. Collective.
  virtual LearnReport learn(Trajectories& batch) = 0;
  /// For a rollout of `samples` with `steps` steps, of which `times` are trained.
  virtual LearnCost learn_cost(long samples, long steps, long times) const = 0;
  /// Fits the value function, if there is one, to a rollout of the unchanged policy; its mean squared error
  /// before that. Collective.
  virtual double pretrain_value(Trajectories&) { return 0; }
  virtual FlatAdamW& policy_optimizer() = 0;
  virtual ValueFunction* value_function() { return nullptr; }
  /// Small state beside the networks, by name (per-prompt reward histories); saved with checkpoints.
  virtual std::map<std::string, std::vector<double>> state() const { return {}; }
  virtual void restore(const std::map<std::string, std::vector<double>>&) {}
};

/// Throws Error{data} listing the known names.
std::unique_ptr<Algorithm> make_algorithm(const AlgorithmContext&);
std::vector<std::string> algorithm_names();

/// This rank's per-sample numbers [B] float64 joined with the others', in global sample order.
std::vector<double> gather_samples(const at::Tensor&, const Communicator&);
/// Standard deviation of all entries of [T, B] over all ranks.
double global_std(const at::Tensor&, const Communicator&);

} // namespace scoreact
