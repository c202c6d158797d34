#pragma once
/// A reward of pictures as a reward of latents: RM(decode(x), c), few rows at a time. A row's reward depends
/// on its own latent alone, so its gradient is taken in the forward pass, where the graph of these rows is
/// still small, and only multiplied in the backward pass: decoding hundreds of latents with a graph would not
/// fit.
#include "rewards/reward.hpp"

namespace scoreact {

/// `context.to_pixels` decodes; `inner` judges pixels in [-1, 1]. First derivatives only.
std::shared_ptr<Reward> make_decoded_reward(std::shared_ptr<Reward> inner, const RewardContext& context);

} // namespace scoreact
