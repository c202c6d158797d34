#pragma once
/// The value function of eq. 20 with every design of Table 1:
///     V(tau, x, c) = c_skip(tau) RM(predictor input, c) + c_out(tau) F(tau, corrector input, c),
///     c_skip(0) = 1, c_out(0) = 0.
/// The reward branch is frozen, so it is computed once per (sample, time) and handed back to whoever needs V
/// there again.
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

class ValueFunction {
 public:
  /// Throws Error{data} for value.network = reward_copy with a reward that has no network to copy.
  ValueFunction(std::shared_ptr<Reward> reward, const ValueOptions&, const std::vector<long>& sample_shape,
                long num_prompts, std::uint64_t seed, const Communicator&, bool deterministic,
                const at::Device&);
  /// The frozen branch RM(...) [rows] fp32; records a graph to the rows when grad mode is on and the reward
  /// is differentiable.
  at::Tensor frozen_branch(const ValueRows&) const;
  /// What the frozen layers of the trained branch make of the rows, for value() below while it is fitted: the
  /// states themselves for a small network.
  at::Tensor trained_features(const ValueRows&) const;
  /// V [rows] fp32 from branches computed before; records a graph to the trained parameters.
  at::Tensor value(const ValueRows&, const at::Tensor& frozen, const at::Tensor& features);
  /// V [rows] fp32 from a frozen branch computed before.
  at::Tensor value(const ValueRows&, const at::Tensor& frozen);
  at::Tensor value(const ValueRows& rows) { return value(rows, frozen_branch(rows)); }
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
  at::Tensor weighted(const ValueRows&, const at::Tensor& frozen, const at::Tensor& trained) const;

  std::shared_ptr<Reward> reward_;
  ValueOptions options_;
  bool unconditional_;
  ValueNetwork network_{nullptr};         ///< value.network = small
  std::unique_ptr<TrainableReward> copy_; ///< value.network = reward_copy
  std::unique_ptr<FlatAdamW> optimizer_;
  double scale_ = 1;
};

} // namespace scoreact
