#pragma once
/// DDPO (Black et al. 2023), the discrete policy gradient that the paper compares with: the transition is the
/// action, the advantage is the standardised reward, the same at all times. update = clipped is DDPO-IS,
/// update = policy_gradient is DDPO-SF.
#include "rl/algorithm.hpp"
#include "rl/prompt_statistics.hpp"

namespace scoreact {

class Ddpo : public Algorithm {
 public:
  /// Throws Error{data} for action = score or update = pathwise: there is no value function to differentiate.
  explicit Ddpo(const AlgorithmContext&);
  LearnReport learn(Trajectories& batch) override;
  LearnCost learn_cost(long samples, long steps, long times) const override;
  FlatAdamW& policy_optimizer() override { return update_.optimizer(); }
  std::map<std::string, std::vector<double>> state() const override { return statistics_.state(); }
  void restore(const std::map<std::string, std::vector<double>>& state) override {
    statistics_.restore(state);
  }

 private:
  AlgorithmContext context_;
  PromptStatistics statistics_;
  PolicyUpdate update_;
};

std::unique_ptr<Algorithm> make_ddpo(const AlgorithmContext&);

} // namespace scoreact
