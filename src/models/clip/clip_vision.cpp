#include "models/clip/clip_vision.hpp"

#include "error/error.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

std::map<std::string, at::Tensor> vision_tensors(std::map<std::string, at::Tensor>&& found) {
  std::map<std::string, at::Tensor> vision;
  for (auto& [name, tensor] : found) {
    const bool elsewhere =
        name.starts_with("text_model.") || name == "text_projection.weight" || name == "logit_scale";
    if (!elsewhere) {
      vision.emplace(name, std::move(tensor));
    }
  }
  return vision;
}

} // namespace

ClipVisionTower::ClipVisionTower(const ClipVisionConfig& config) : config_(config) {
  const long width = config.encoder.hidden_size, grid = config.image_size / config.patch_size;
  const auto embeddings = register_module("embeddings", std::make_shared<torch::nn::Module>());
  class_embedding_ = embeddings->register_parameter("class_embedding", torch::empty({width}), false);
  patch_embedding_ = embeddings->register_module(
      "patch_embedding", std::make_shared<transformer::PatchEmbedding>(config.num_channels, width,
                                                                       config.patch_size, /*bias=*/false));
  position_embedding_ = embeddings->register_module(
      "position_embedding", std::make_shared<transformer::Embedding>(grid * grid + 1, width));
  pre_layrnorm_ = register_module(
      "pre_layrnorm", std::make_shared<transformer::LayerNorm>(width, config.encoder.layer_norm_eps));
  encoder_ = register_module("encoder", std::make_shared<ClipEncoder>(config.encoder));
  post_layernorm_ = register_module(
      "post_layernorm", std::make_shared<transformer::LayerNorm>(width, config.encoder.layer_norm_eps));
}

at::Tensor ClipVisionTower::forward(const at::Tensor& pixel_values) const {
  SCOREACT_REQUIRE(pixel_values.dim() == 4 && pixel_values.size(1) == config_.num_channels &&
                       pixel_values.size(2) == config_.image_size &&
                       pixel_values.size(3) == config_.image_size,
                   ExitCode::data, "pixel_values: expected [n, {}, {}, {}], found [{}]", config_.num_channels,
                   config_.image_size, config_.image_size, fmt::join(pixel_values.sizes().vec(), ", "));
  const at::Tensor patches = patch_embedding_->forward(pixel_values);
  const at::Tensor class_token = class_embedding_.expand({patches.size(0), 1, -1});
  const at::Tensor tokens =
      at::cat({class_token, patches}, 1) + position_embedding_->first(position_embedding_->count());
  const at::Tensor hidden = encoder_->forward(pre_layrnorm_->forward(tokens), {}, /*causal=*/false);
  return post_layernorm_->forward(hidden.select(1, 0));
}

ClipVision::ClipVision(const ClipVisionConfig& config) : config_(config) {
  check_clip_vision_config(config, "CLIPVisionModelWithProjection");
  vision_model_ = register_module("vision_model", std::make_shared<ClipVisionTower>(config));
  visual_projection_ = register_module(
      "visual_projection",
      std::make_shared<transformer::Linear>(config.encoder.hidden_size, config.projection_dim, false));
}

std::shared_ptr<ClipVision> ClipVision::load(const std::string& directory, c10::Device device) {
  const auto config = read_clip_vision_config((std::filesystem::path(directory) / "config.json").string());
  auto model = std::make_shared<ClipVision>(config);
  load_tensors(model->named_parameters().pairs(), vision_tensors(read_model_weights(directory, "model")),
               model_weight_file(directory, "model"));
  model->to(device);
  return model;
}

at::Tensor ClipVision::forward(const at::Tensor& pixel_values) const {
  return visual_projection_->forward(vision_model_->forward(pixel_values));
}

} // namespace scoreact
