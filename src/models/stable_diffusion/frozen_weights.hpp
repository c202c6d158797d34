#pragma once
/// A network of a diffusers folder: config.json and diffusion_pytorch_model.* beside it.
#include <c10/core/Device.h>
#include <torch/nn/module.h>

#include <string>

namespace scoreact {

/// `directory`/config.json. Throws Error{missing_input} if there is no such folder.
std::string config_file(const std::string& directory);

/// Fills the network from the folder's weight file and freezes it (requires_grad false). Throws
/// Error{missing_input | data}, naming tensors that are missing, unexpected or misshapen.
void load_frozen_weights(torch::nn::Module& network, const std::string& directory, c10::Device device);

} // namespace scoreact
