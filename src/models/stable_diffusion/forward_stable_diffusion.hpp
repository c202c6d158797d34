#pragma once
/// scoreact forward for diffusers' UNet2DConditionModel and AutoencoderKL.
#include "models/forward_pass.hpp"

namespace scoreact {

/// sample [B, C, H, W], timestep scalar or [B], encoder_hidden_states [B, n, d] -> sample. Throws
/// Error{data}.
NamedTensors forward_unet2d_condition(const std::string& directory, ForwardInputs& inputs,
                                      c10::Device device);

/// latents [B, c, h, w], unscaled -> sample; or sample [B, C, H, W] in [-1, 1] -> mean, logvar. Throws
/// Error{data}.
NamedTensors forward_autoencoder_kl(const std::string& directory, ForwardInputs& inputs, c10::Device device);

} // namespace scoreact
