#include "models/stable_diffusion/frozen_weights.hpp"

#include "error/error.hpp"
#include "models/weights.hpp"

#include <torch/torch.h>

#include <filesystem>

namespace scoreact {

std::string config_file(const std::string& directory) {
  SCOREACT_REQUIRE(std::filesystem::is_directory(directory), ExitCode::missing_input,
                   "{}: no such folder; expected config.json and diffusion_pytorch_model.safetensors in it",
                   directory);
  return (std::filesystem::path(directory) / "config.json").string();
}

void load_frozen_weights(torch::nn::Module& network, const std::string& directory, c10::Device device) {
  NamedTensors destination;
  for (const auto& item : network.named_parameters()) {
    item.value().set_requires_grad(false);
    destination.emplace_back(item.key(), item.value());
  }
  const std::string stem = "diffusion_pytorch_model";
  load_tensors(destination, read_model_weights(directory, stem), model_weight_file(directory, stem));
  network.to(device);
}

} // namespace scoreact
