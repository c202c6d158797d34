#pragma once
/// scoreact forward for diffusers' UNet2DModel.
#include "models/forward_pass.hpp"

namespace scoreact {

/// sample [B, C, H, W], timestep scalar or [B], class_labels scalar or [B] -> sample. Throws Error{data}.
NamedTensors forward_unet2d(const std::string& directory, ForwardInputs& inputs, c10::Device device);

} // namespace scoreact
