#pragma once
/// RM(x, c) = log p(c | x) of a classifier, nats. Differentiable.
#include "rewards/reward.hpp"

namespace scoreact {

/// Reads the classifier in `directory`. Throws Error{missing_input | data}, also if it judges another sample
/// shape.
std::shared_ptr<Reward> make_classifier_reward(const std::string& directory,
                                               const std::vector<long>& sample_shape);

} // namespace scoreact
