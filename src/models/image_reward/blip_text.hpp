#pragma once
/// BLIP's text tower: BERT whose every layer also looks at the image (mode "multimodal"), norms after the
/// residual sums, no token types. Names as in ImageReward.pt below blip.text_encoder.
#include "models/image_reward/image_reward_config.hpp"
#include "models/transformer/layers.hpp"

namespace scoreact {

class BlipTextLayer;

class BlipText : public torch::nn::Module {
 public:
  /// @param image_width of the image's tokens
  BlipText(const BlipTextConfig&, long image_width);
  /// input_ids [n, L] int64, attention_mask [n, L] (0: padding), image tokens [n, T, image_width] ->
  /// last hidden state [n, L, width]. Throws Error{data} for another shape.
  at::Tensor forward(const at::Tensor& input_ids, const at::Tensor& attention_mask,
                     const at::Tensor& image) const;

 private:
  BlipTextConfig config_;
  std::shared_ptr<transformer::Embedding> words_, positions_;
  std::shared_ptr<transformer::LayerNorm> norm_;
  std::vector<std::shared_ptr<BlipTextLayer>> layers_;
};

} // namespace scoreact
