#pragma once
/// The value function of eq. 20 with every design of Table 1:
///     V(tau, x, c) = c_skip(tau) RM(predictor input, c) + c_out(tau) F(tau, corrector input, c),
///     c_skip(0) = 1, c_out(0) = 0.
/// The reward branch is frozen, so it is computed once per (sample, time), with its gradient where one is
/// needed: the fit leaves both in the rollout, and the advantage takes them from there.
#include "optim/flat_adamw.hpp"
#include "rewards/reward.hpp"
#include "rl/rl_options.hpp"
#include "rl/value_network.hpp"

#include <memory>

namespace scoreact {

/// c_skip and c_out at noise times tau (any tensor).
struct ValueWeights {
  at::Tensor skip, out;
};
/// c_out = sin | one_minus_cos (with c_skip = cos(pi tau / 2)) | linear (c_skip = 1 - tau, c_out = tau).
/// Throws Error{data}.
ValueWeights value_weights(const std::string& c_out, const at::Tensor& tau);

/// Rows of states at which V is asked.
struct ValueRows {
  at::Tensor x, x0hat; ///< [rows, ...] fp32; x0hat is Tweedie's mean under the policy
  at::Tensor tau;      ///< [rows] fp32
  at::Tensor prompt;   ///< [rows] int64 or undefined
};

/// RM of eq. 20 at some rows, for whoever needs V there more than once.
struct FrozenBranch {
  at::Tensor value;    ///< [rows] fp32
  at::Tensor gradient; ///< [rows, ...] fp32 by the predictor's input (x0hat or x); undefined if not asked for
};

class ValueFunction {
 public:
  /// Throws Error{data} for value.network = reward_copy with a reward that has no network to copy.
  ValueFunction(std::shared_ptr<Reward> reward, const ValueOptions&, const std::vector<long>& sample_shape,
                long num_prompts, std::uint64_t seed, const Communicator&, bool deterministic,
                const at::Device&);
  /// The frozen branch; the gradient of a reward that is not differentiable is 0. Neither has a graph.
  FrozenBranch frozen_branch(const ValueRows&, bool with_gradient) const;
  /// What the frozen layers of the trained branch make of the rows, for value() below while it is fitted: the
  /// states themselves for a small network.
  at::Tensor trained_features(const ValueRows&) const;
  /// Numbers of a row of features that are worth keeping: 0 for a small network.
  long feature_elements() const { return copy_ ? copy_->feature_elements() : 0; }
  /// V [rows] fp32 from branches computed before; records a graph to the trained parameters.
  at::Tensor value(const ValueRows&, const at::Tensor& frozen, const at::Tensor& features);
  /// V [rows] fp32 from a frozen branch computed before.
  at::Tensor value(const ValueRows&, const at::Tensor& frozen);
  /// The same with a graph to whatever the rows were made of, in which the frozen branch stands by its
  /// gradient (if it has one): the reward is not evaluated again.
  at::Tensor value(const ValueRows&, const FrozenBranch&);
  /// V [rows] fp32, everything evaluated here, with that graph when grad mode is on.
  at::Tensor value(const ValueRows& rows) {
    return value(rows, frozen_branch(rows, at::GradMode::is_enabled()));
  }
  /// F's unit, in units of reward: the trained branch is scale F, so that F and its learning rate see numbers
  /// of order 1 whatever the reward's size is. 1 until set, and for a copy of the reward's network.
  double scale() const { return scale_; }
  void set_scale(double scale) { scale_ = copy_ ? 1 : scale; }
  bool has_copy() const { return copy_ != nullptr; }
  FlatAdamW& optimizer() { return *optimizer_; }
  const ValueOptions& options() const { return options_; }

 private:
  const at::Tensor& corrector_input(const ValueRows& rows) const {
    return options_.corrector == "x" ? rows.x : rows.x0hat;
  }
  const at::Tensor& predictor_input(const ValueRows& rows) const {
    return options_.predictor == "x0hat" ? rows.x0hat : rows.x;
  }
  at::Tensor weighted(const ValueRows&, const at::Tensor& frozen, const at::Tensor& trained) const;
  at::Tensor trained_branch(const ValueRows&);

  std::shared_ptr<Reward> reward_;
  ValueOptions options_;
  bool unconditional_;
  ValueNetwork network_{nullptr};         ///< value.network = small
  std::unique_ptr<TrainableReward> copy_; ///< value.network = reward_copy
  std::unique_ptr<FlatAdamW> optimizer_;
  double scale_ = 1;
};

} // namespace scoreact
