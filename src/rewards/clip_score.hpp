#pragma once
/// RM(x, c) = cosine between CLIP's embeddings of image x and prompt c, in -1 .. 1; about 0.2 to 0.35 for
/// pictures that fit. This is what ImageReward's benchmark and Adjoint Matching call the CLIP score; others
/// multiply by 100 (torchmetrics) or 2.5 (Hessel et al., 2021) and cut off below 0. Differentiable.
#include "rewards/reward.hpp"

#include <c10/core/Device.h>

namespace scoreact {

/// `directory`: config.json and weights of a CLIPModel, or an OpenAI checkpoint, with vocab.json and
/// merges.txt beside them. Images [n, 3, H, W] in [-1, 1] of any size; resized as make_image_reward does it.
/// Throws Error{missing_input | data}.
std::shared_ptr<Reward> make_clip_score(const std::string& directory, const std::vector<std::string>& prompts,
                                        c10::Device device);

} // namespace scoreact
