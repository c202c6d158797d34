#pragma once
/// The policy update. Every update of this library is a vector field on the policy mean: with G_k = dJ/d mu_k
/// known at the chosen rows, the parameters follow  sum_k w_k (d mu_k / d theta)^T G_k  by one backward pass.
///   pathwise          G = g^2 dt [ 1/2 (1+chi^2) grad V - lambda ((1+chi^2)/(2 chi))^2 (mu - mu_pre) ],
///                     the exact mean over a of eq. 23
///   policy_gradient   G = q (a - mu) / s_a^2                                  (eq. 23)
///   clipped           G = d surrogate / d log-ratio * (a - mu) / s_a^2        (eq. 27)
#include "optim/flat_adamw.hpp"
#include "optim/learning_rate.hpp"
#include "rl/score_policy.hpp"
#include "rl/trajectories.hpp"

#include <string>

namespace scoreact {

struct AlgorithmOptions;
struct TrainOptions;

/// What the update wants: one of the two is defined.
struct UpdateSignal {
  at::Tensor advantage;      ///< [T, B] float64: policy_gradient, clipped
  at::Tensor value_gradient; ///< [T, B, ...] fp32: pathwise
};

struct UpdateReport {
  double ratio_first_max_deviation = 0; ///< max |ratio - 1| before the first optimiser step
  double clip_fraction = 0;             ///< of rows, mean over updates
  double policy_kl = 0;                 ///< KL(new || old) per trajectory at the last update, nats
  double grad_norm = 0;                 ///< mean over updates
  double learning_rate = 0;             ///< of the last update
  long network_evaluations = 0;         ///< forward passes, all ranks together
};

class PolicyUpdate {
 public:
  PolicyUpdate(ScorePolicy&, const AlgorithmOptions&, const TrainOptions&, const LearningRateOptions&,
               const Communicator&, bool deterministic);
  /// Runs num_inner_epochs passes of minibatch updates over the rollout. Collective.
  UpdateReport operator()(const Trajectories&, const UpdateSignal&);
  FlatAdamW& optimizer() { return optimizer_; }

 private:
  struct MicroBatchReport;
  MicroBatchReport backward(const Trajectories&, const UpdateSignal&, long first, long count, double scale,
                            bool first_update);

  ScorePolicy& policy_;
  const AlgorithmOptions& algorithm_;
  const TrainOptions& train_;
  LearningRateOptions learning_rate_;
  const Communicator& ranks_;
  FlatAdamW optimizer_;
};

/// Optimiser updates an epoch: samples / minibatch * inner epochs.
long updates_per_epoch(long samples_per_epoch, const TrainOptions&);

} // namespace scoreact
