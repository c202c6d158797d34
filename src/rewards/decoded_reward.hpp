#pragma once
/// A reward of pictures as a reward of latents: RM(decode(x), c), few rows at a time (row_wise.hpp).
#include "rewards/reward.hpp"

namespace scoreact {

/// `context.to_pixels` decodes; `inner` judges pixels in [-1, 1]. First derivatives only.
std::shared_ptr<Reward> make_decoded_reward(std::shared_ptr<Reward> inner, const RewardContext& context);

} // namespace scoreact
