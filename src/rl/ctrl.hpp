#pragma once
/// CTRL, "Score as Action": continuous-time policy optimisation with the score as the action (paper section
/// 4, Algorithm 1).
#include "rl/algorithm.hpp"

namespace scoreact {

class Ctrl : public Algorithm {
 public:
  /// Throws Error{data} for kl_weight > 0 with a deterministic solver: its path KL is infinite.
  explicit Ctrl(const AlgorithmContext&);
  LearnReport learn(Trajectories& batch) override;
  FlatAdamW& policy_optimizer() override { return update_.optimizer(); }
  ValueFunction* value_function() override { return &value_; }

 private:
  AlgorithmContext context_;
  ValueFunction value_;
  PolicyUpdate update_;
};

} // namespace scoreact
