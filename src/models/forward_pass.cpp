#include "models/forward_pass.hpp"

#include "error/error.hpp"
#include "models/clip/forward_clip.hpp"
#include "models/image_reward/forward_image_reward.hpp"
#include "models/inception/forward_inception.hpp"
#include "models/json_file.hpp"
#include "models/pixel_unet/forward_unet2d.hpp"
#include "models/stable_diffusion/forward_stable_diffusion.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

const std::vector<ForwardNetwork>& networks() {
  static const std::vector<ForwardNetwork> all = {
      {"UNet2DModel", {"sample", "timestep", "class_labels"}, false, forward_unet2d},
      {"CLIPTextModel", {"input_ids", "attention_mask"}, false, forward_clip_text},
      {"CLIPTextModelWithProjection", {"input_ids", "attention_mask"}, false, forward_clip_text},
      {"CLIPVisionModelWithProjection", {"pixel_values"}, false, forward_clip_vision},
      {"CLIPModel", {"input_ids", "attention_mask", "pixel_values"}, false, forward_clip},
      {"ImageReward.pt", {"pixel_values", "input_ids", "attention_mask"}, false, forward_image_reward},
      {"ImageReward.safetensors",
       {"pixel_values", "input_ids", "attention_mask"},
       false,
       forward_image_reward},
      {"UNet2DConditionModel",
       {"sample", "timestep", "encoder_hidden_states"},
       true,
       forward_unet2d_condition},
      {"AutoencoderKL", {"latents", "sample"}, false, forward_autoencoder_kl},
      {"pt_inception-2015-12-05-6726825d.pth", {"inp"}, false, forward_inception},
      {"pt_inception-2015-12-05-6726825d.safetensors", {"inp"}, false, forward_inception},
  };
  return all;
}

/// The class that config.json tells: diffusers' `_class_name` or transformers' `architectures`.
std::string class_in(const std::string& config_file) {
  const nlohmann::json config = read_json(config_file);
  auto name = json_value<std::string>(config, "_class_name", "", config_file);
  if (!name.empty())
    return name;
  const auto architectures = json_value<std::vector<std::string>>(config, "architectures", {}, config_file);
  return architectures.empty() ? "" : architectures.front();
}

} // namespace

ForwardInputs::ForwardInputs(const std::string& path, bool differentiable, c10::Device device,
                             std::string lora)
    : path_(path), differentiable_(differentiable), device_(device), lora_(std::move(lora)),
      tensors_(read_weights(path)) {}

void ForwardInputs::differentiate(const NamedTensors& parameters) {
  if (differentiable_)
    differentiated_.insert(differentiated_.end(), parameters.begin(), parameters.end());
}

at::Tensor ForwardInputs::optional(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    return {};
  const bool floating = found->second.is_floating_point();
  at::Tensor tensor = found->second.to(device_, floating ? at::kFloat : at::kLong);
  if (floating && differentiable_) {
    tensor.requires_grad_(true);
    differentiated_.emplace_back(name, tensor);
  }
  return tensor;
}

at::Tensor ForwardInputs::required(const std::string& name) {
  if (!contains(name)) {
    std::string others;
    for (const auto& [other, unused] : tensors_)
      others += fmt::format("{}\"{}\"", others.empty() ? "" : ", ", other);
    SCOREACT_FAIL(ExitCode::data, "{}: expected a tensor \"{}\", found {}", path_, name,
                  others.empty() ? "no other" : others);
  }
  return optional(name);
}

at::Tensor ForwardInputs::required_for_rows(const std::string& name, long rows) {
  const at::Tensor flat = required(name).flatten();
  SCOREACT_REQUIRE(flat.numel() == 1 || flat.numel() == rows, ExitCode::data,
                   "{}: expected 1 or {} numbers, as many as samples, found {}", name, rows, flat.numel());
  return flat.expand({rows}).contiguous();
}

void ForwardInputs::require_known(const std::vector<std::string>& known) const {
  for (const auto& [name, unused] : tensors_) {
    SCOREACT_REQUIRE(std::find(known.begin(), known.end(), name) != known.end(), ExitCode::data,
                     "{}: unexpected tensor \"{}\"; expected {}", path_, name, fmt::join(known, ", "));
  }
}

const ForwardNetwork& forward_network(std::string& directory) {
  const fs::path given(directory);
  SCOREACT_REQUIRE(fs::is_directory(given), ExitCode::missing_input, "{}: no such folder", directory);
  const fs::path folder = fs::exists(given / "unet" / "config.json") ? given / "unet" : given;
  directory = folder.string();
  const std::string config_file = (folder / "config.json").string();
  std::string names;
  for (const ForwardNetwork& network : networks()) {
    if (fs::is_regular_file(folder / network.name))
      return network;
    names += (names.empty() ? "" : ", ") + network.name;
  }
  const std::string name = class_in(config_file);
  for (const ForwardNetwork& network : networks())
    if (network.name == name)
      return network;
  SCOREACT_FAIL(ExitCode::data, "{}: expected a network of class {}, found \"{}\"", config_file, names, name);
}

} // namespace scoreact
