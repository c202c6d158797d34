#pragma once
/// RM(x, c) = ImageReward of image x and prompt c, normalised as its authors do: about 0 on average, standard
/// deviation 1 (Xu et al., 2023). Differentiable.
#include "rewards/reward.hpp"

#include <c10/core/Device.h>

namespace scoreact {

class ImageReward;

/// Ids and mask of prompts for ImageReward's text tower, [prompts, 35] int64 each, on `device`.
struct ImageRewardPrompts {
  at::Tensor input_ids, attention_mask;
};
/// The vocabulary is vocab.txt in `directory`, else that of bert-base-uncased, which is what ImageReward was
/// trained with. Throws Error{data}, also if it is another than the network in `directory` has.
ImageRewardPrompts image_reward_prompts(const std::string& directory, const ImageReward&,
                                        const std::vector<std::string>& prompts, c10::Device device);

/// Reads ImageReward.pt (or .safetensors) and med_config.json in `directory`. The reward takes images
/// [n, 3, H, W] in [-1, 1] of any size, and prompts that index `prompts`. With a graph to record, images are
/// resized in fp32; without, rounded to 8 bits and resized as Pillow does it, as the original reads them from
/// files. Throws Error{missing_input | data}.
std::shared_ptr<Reward> make_image_reward(const std::string& directory,
                                          const std::vector<std::string>& prompts, c10::Device device);
/// The same around a network that is in memory already.
std::shared_ptr<Reward> make_image_reward(std::shared_ptr<ImageReward> network, ImageRewardPrompts prompts);

} // namespace scoreact
