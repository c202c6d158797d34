#pragma once
/// Rewards with known optimum (docs/mathematics.md section 6): linear, RM = vector . x, and quadratic,
/// RM = -strength/2 |x - center|^2. Units: reward. Differentiable; the sums run in float64.
#include "rewards/reward.hpp"
#include "rewards/reward_options.hpp"

namespace scoreact {

/// Throws Error{data} unless RewardOptions::vector has one number an element of a sample.
std::shared_ptr<Reward> make_linear_reward(const RewardOptions&, const std::vector<long>& sample_shape);
/// Throws Error{data} unless RewardOptions::center is empty (the origin) or has one number an element of a
/// sample.
std::shared_ptr<Reward> make_quadratic_reward(const RewardOptions&, const std::vector<long>& sample_shape);

} // namespace scoreact
