#include "models/image_reward/image_reward.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <array>
#include <cmath>
#include <filesystem>

namespace scoreact {
namespace {

/// The head's linear maps by their place in the original's Sequential, where dropouts stand between.
constexpr std::array<int, 5> head_places = {0, 2, 4, 6, 7};

/// The number behind `prefix`, -1 for another name.
long index_behind(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? std::stol(name.substr(prefix.size())) : -1;
}

} // namespace

ImageReward::ImageReward(const ImageRewardConfig& config)
    : config_(config), frozen_blocks_(config.vision.depth) {
  const auto blip = register_module("blip", std::make_shared<torch::nn::Module>());
  visual_encoder_ = blip->register_module("visual_encoder", std::make_shared<BlipVision>(config.vision));
  text_encoder_ =
      blip->register_module("text_encoder", std::make_shared<BlipText>(config.text, config.vision.width));
  blip->register_module("vision_proj",
                        std::make_shared<transformer::Linear>(config.vision.width, config.joint_width));
  blip->register_module("text_proj",
                        std::make_shared<transformer::Linear>(config.text.width, config.joint_width));
  SCOREACT_REQUIRE(config.head.size() == head_places.size() && config.head.back() == 1, ExitCode::data,
                   "ImageReward: the head has {} linear maps, the last of which gives 1 number",
                   head_places.size());
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  const auto layers = mlp->register_module("layers", std::make_shared<torch::nn::Module>());
  long inputs = config.text.width;
  for (std::size_t i = 0; i < head_places.size(); ++i) {
    head_.push_back(layers->register_module(std::to_string(head_places[i]),
                                            std::make_shared<transformer::Linear>(inputs, config.head[i])));
    inputs = config.head[i];
  }
}

std::shared_ptr<ImageReward> ImageReward::load(const std::string& directory, c10::Device device) {
  const std::filesystem::path folder(directory);
  const std::filesystem::path converted = folder / "ImageReward.safetensors";
  const std::string file =
      (std::filesystem::exists(converted) ? converted : folder / "ImageReward.pt").string();
  auto tensors = read_weights(file);
  const auto text = read_med_config((folder / "med_config.json").string());
  auto model = std::make_shared<ImageReward>(image_reward_config(text, tensors, file));
  load_tensors(model->named_parameters().pairs(), std::move(tensors), file);
  model->to(device);
  return model;
}

at::Tensor ImageReward::forward(const at::Tensor& pixel_values, const at::Tensor& input_ids,
                                const at::Tensor& attention_mask) const {
  return rear(front(pixel_values), input_ids, attention_mask);
}

at::Tensor ImageReward::front(const at::Tensor& pixel_values) const {
  return visual_encoder_->blocks(visual_encoder_->embed(pixel_values), 0, frozen_blocks_);
}

long ImageReward::front_elements() const {
  const BlipVisionConfig& vision = config_.vision;
  const long side = vision.image_size / vision.patch_size;
  return (side * side + 1) * vision.width;
}

at::Tensor ImageReward::rear(const at::Tensor& features, const at::Tensor& input_ids,
                             const at::Tensor& attention_mask) const {
  const at::Tensor image =
      visual_encoder_->norm(visual_encoder_->blocks(features, frozen_blocks_, visual_encoder_->depth()));
  at::Tensor state = text_encoder_->forward(input_ids, attention_mask, image).select(1, 0);
  for (const auto& layer : head_) {
    state = layer->forward(state);
  }
  return state.squeeze(1);
}

bool ImageReward::is_frozen(const std::string& name, long vision_blocks, long text_layers) {
  if (name.starts_with("mlp.") || name.starts_with("blip.visual_encoder.norm.")) {
    return false;
  }
  const long block = index_behind(name, "blip.visual_encoder.blocks.");
  const long layer = index_behind(name, "blip.text_encoder.encoder.layer.");
  return block < vision_blocks && layer < text_layers; // embeddings and projections have neither number
}

std::shared_ptr<ImageReward> ImageReward::trainable_copy(double frozen_fraction) const {
  SCOREACT_REQUIRE(frozen_fraction >= 0 && frozen_fraction <= 1, ExitCode::data,
                   "frozen_fraction: expected a number from 0 to 1, found {}", frozen_fraction);
  const auto share = [frozen_fraction](long layers) {
    return static_cast<long>(std::floor(frozen_fraction * static_cast<double>(layers) + 1e-9));
  };
  auto copy = std::make_shared<ImageReward>(config_);
  copy->frozen_blocks_ = share(config_.vision.depth);
  const long frozen_layers = share(config_.text.layers);
  torch::NoGradGuard no_grad;
  const auto own = named_parameters();
  for (auto& item : copy->named_parameters()) {
    const at::Tensor& original = own[item.key()];
    if (is_frozen(item.key(), copy->frozen_blocks_, frozen_layers)) {
      item.value().set_data(original.detach());
    } else {
      item.value().set_data(original.detach().clone());
      item.value().requires_grad_(true);
    }
  }
  return copy;
}

NamedTensors ImageReward::trainable_parameters() const {
  NamedTensors trainable;
  for (const auto& item : named_parameters()) {
    if (item.value().requires_grad()) {
      trainable.emplace_back(item.key(), item.value());
    }
  }
  return trainable;
}

} // namespace scoreact
