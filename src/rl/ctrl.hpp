#pragma once
/// CTRL, "Score as Action": continuous-time policy optimisation with the score as the action (paper,
/// section 4).
#include "rl/algorithm.hpp"

namespace scoreact {

class Ctrl : public Algorithm {
 public:
  /// Throws Error{data} for kl_weight > 0 with a deterministic solver: its path KL is infinite.
  explicit Ctrl(const AlgorithmContext&);
  LearnReport learn(Trajectories& batch) override;
  LearnCost learn_cost(long samples, long steps, long times) const override;
  double pretrain_value(Trajectories& batch) override;
  FlatAdamW& policy_optimizer() override { return update_.optimizer(); }
  ValueFunction* value_function() override { return &value_; }
  /// The unit of the value's trained branch, fixed by the first rollout.
  std::map<std::string, std::vector<double>> state() const override;
  void restore(const std::map<std::string, std::vector<double>>&) override;

 private:
  /// Chooses the trained times, attaches the pretrained means there and fits V; the mean squared error
  /// before. `for_gradient`: grad V will be asked for.
  double fit_value_to(Trajectories& batch, bool for_gradient);
  AlgorithmContext context_;
  ValueFunction value_;
  PolicyUpdate update_;
  bool scaled_ = false; ///< value_'s unit is set
};

std::unique_ptr<Algorithm> make_ctrl(const AlgorithmContext&);

} // namespace scoreact
