#pragma once
/// Compressibility of pictures, ddpo-pytorch's rewards: RM = -size (jpeg_compressibility) or +size
/// (jpeg_incompressibility) of the JPEG file in kB (1000 bytes).
/// Without its header where the pictures are small: 625 bytes of it are the same for every colour picture,
/// more than what a picture of 32 x 32 pixels itself takes.
#include "rewards/reward.hpp"

namespace scoreact {

/// Pixels [n, C, H, W] in [-1, 1] to [n, H, W, C] uint8: clamp(x/2 + 1/2, 0, 1) 255, rounded half to even.
at::Tensor to_uint8_images(const at::Tensor& x);

/// Throws Error{data} unless sample_shape is [1 | 3, H, W].
std::shared_ptr<Reward> make_jpeg_reward(const std::string& kind, const std::vector<long>& sample_shape,
                                         bool with_header = true);

} // namespace scoreact
