#pragma once
/// RM(x) = LAION's aesthetic score: linear maps without activation on CLIP ViT-L/14's embedding of the image,
/// divided by its norm. From about 1 to 10; LAION's pictures have 5 on average. Differentiable.
#include "rewards/reward.hpp"

#include <c10/core/Device.h>

namespace scoreact {

/// `clip_directory`: a CLIPModel or a CLIPVisionModelWithProjection. `head`: the file of the maps (tensors
/// layers.{0,2,4,6,7}.{weight,bias}); empty: sac+logos+ava1-l14-linearMSE with the ending .safetensors or
/// .pth in `clip_directory`. Images [n, 3, H, W] in [-1, 1] of any size; resized as make_image_reward does
/// it. Throws Error{missing_input | data}.
std::shared_ptr<Reward> make_aesthetic_score(const std::string& clip_directory, const std::string& head,
                                             c10::Device device);

} // namespace scoreact
