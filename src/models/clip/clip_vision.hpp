#pragma once
/// CLIP's vision tower: patches and a class token through layers with the norm first; the class token's
/// state, normed and projected, is the image's embedding (transformers' CLIPVisionModelWithProjection).
#include "models/clip/clip_encoder.hpp"
#include "models/weights.hpp"

#include <c10/core/Device.h>

namespace scoreact {

/// The tower without a name in front, as it stands inside of CLIPVisionModelWithProjection and CLIPModel.
class ClipVisionTower : public torch::nn::Module {
 public:
  explicit ClipVisionTower(const ClipVisionConfig&);
  /// pixel_values [n, channels, image_size, image_size] fp32, normalised -> [n, hidden]: the class token
  /// after post_layernorm. Throws Error{data} for another shape.
  at::Tensor forward(const at::Tensor& pixel_values) const;

 private:
  ClipVisionConfig config_;
  at::Tensor class_embedding_;
  std::shared_ptr<transformer::PatchEmbedding> patch_embedding_;
  std::shared_ptr<transformer::Embedding> position_embedding_;
  std::shared_ptr<transformer::LayerNorm> pre_layrnorm_,
      post_layernorm_; // the first is misspelt in the files
  std::shared_ptr<ClipEncoder> encoder_;
};

class ClipVision : public torch::nn::Module {
 public:
  /// Tensors without values. Throws Error{data} if the numbers do not fit each other.
  explicit ClipVision(const ClipVisionConfig&);
  /// Reads config.json and the weights of a CLIPVisionModelWithProjection, or the vision half of a CLIPModel.
  /// fp32 in memory, no gradients. Throws Error{missing_input | data}.
  static std::shared_ptr<ClipVision> load(const std::string& directory, c10::Device device);

  /// pixel_values [n, channels, image_size, image_size] fp32, normalised -> image_embeds [n, projection_dim],
  /// not divided by their norm. Records a graph to the pixels. Throws Error{data} for another shape.
  at::Tensor forward(const at::Tensor& pixel_values) const;
  const ClipVisionConfig& config() const { return config_; }

 private:
  ClipVisionConfig config_;
  std::shared_ptr<ClipVisionTower> vision_model_;
  std::shared_ptr<transformer::Linear> visual_projection_;
};

} // namespace scoreact
