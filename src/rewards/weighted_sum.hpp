#pragma once
/// RM = sum_i weight_i RM_i. Differentiable if every term is.
#include "rewards/reward.hpp"

namespace scoreact {

struct WeightedReward {
  double weight = 1.0;
  std::shared_ptr<Reward> reward;
};

std::shared_ptr<Reward> make_weighted_sum(std::vector<WeightedReward> terms);

} // namespace scoreact
