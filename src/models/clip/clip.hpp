#pragma once
/// CLIP: both towers with their projections into one space (transformers' CLIPModel, OpenAI's ViT models).
#include "models/clip/clip_text.hpp"
#include "models/clip/clip_vision.hpp"

namespace scoreact {

class Clip : public torch::nn::Module {
 public:
  /// Tensors without values. Throws Error{data} if the numbers do not fit each other.
  explicit Clip(const ClipConfig&);
  /// A folder with config.json and weights of a CLIPModel; or an OpenAI checkpoint (ViT-L-14.pt as published,
  /// or the same tensors in any weight file), given as the file or as a folder that holds one such file and
  /// no config.json. fp32 in memory, no gradients. Throws Error{missing_input | data}.
  static std::shared_ptr<Clip> load(const std::string& path, c10::Device device);

  /// Not divided by their norm, [n, projection_dim] fp32. text_embeds takes ids and mask as ClipText::forward
  /// does, image_embeds pixels as ClipVision::forward.
  at::Tensor text_embeds(const at::Tensor& input_ids, const at::Tensor& attention_mask = {}) const;
  at::Tensor image_embeds(const at::Tensor& pixel_values) const;
  /// The text tower alone, without projection.
  ClipTextOutput text_states(const at::Tensor& input_ids, const at::Tensor& attention_mask = {}) const;
  /// [] fp32: the logarithm of the factor that logits have over cosines.
  const at::Tensor& logit_scale() const { return logit_scale_; }
  const ClipConfig& config() const { return config_; }

 private:
  ClipConfig config_;
  std::shared_ptr<ClipTextTower> text_model_;
  std::shared_ptr<ClipVisionTower> vision_model_;
  std::shared_ptr<transformer::Linear> visual_projection_, text_projection_;
  at::Tensor logit_scale_;
};

} // namespace scoreact
