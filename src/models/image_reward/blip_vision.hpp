#pragma once
/// BLIP's vision transformer (the ViT of timm): patches and a class token through blocks with the norm first;
/// all tokens come out. Names as in ImageReward.pt below blip.visual_encoder.
#include "models/image_reward/image_reward_config.hpp"
#include "models/transformer/layers.hpp"

namespace scoreact {

class BlipVisionBlock;

class BlipVision : public torch::nn::Module {
 public:
  explicit BlipVision(const BlipVisionConfig&);
  /// pixel_values [n, 3, image_size, image_size] fp32, normalised -> tokens [n, patches + 1, width].
  /// Throws Error{data} for another shape.
  at::Tensor embed(const at::Tensor& pixel_values) const;
  /// Blocks begin .. end-1 over tokens.
  at::Tensor blocks(at::Tensor tokens, long begin, long end) const;
  /// The norm behind the last block.
  at::Tensor norm(const at::Tensor& tokens) const { return norm_->forward(tokens); }
  long depth() const { return static_cast<long>(blocks_.size()); }

 private:
  BlipVisionConfig config_;
  at::Tensor cls_token_, pos_embed_;
  std::shared_ptr<transformer::PatchEmbedding> patches_;
  std::vector<std::shared_ptr<BlipVisionBlock>> blocks_;
  std::shared_ptr<transformer::LayerNorm> norm_;
};

} // namespace scoreact
