#pragma once
/// CLIP's text tower: transformers' CLIPTextModel, the text encoder of Stable Diffusion 1.x. Layers with the
/// norm first, causal attention, one more norm at the end.
#include "models/clip/clip_encoder.hpp"
#include "models/weights.hpp"

#include <c10/core/Device.h>

namespace scoreact {

struct ClipTextOutput {
  at::Tensor last_hidden_state; ///< [n, L, hidden] fp32, after the final norm
  at::Tensor pooler_output;     ///< [n, hidden] fp32: the state at the end-of-text token
};

/// The tower without a name in front, as it stands inside of CLIPTextModel and CLIPModel.
class ClipTextTower : public torch::nn::Module {
 public:
  explicit ClipTextTower(const ClipTextConfig&);
  /// As ClipText::forward.
  ClipTextOutput forward(const at::Tensor& input_ids, const at::Tensor& attention_mask, long clip_skip) const;

 private:
  ClipTextConfig config_;
  std::shared_ptr<transformer::Embedding> token_embedding_, position_embedding_;
  std::shared_ptr<ClipEncoder> encoder_;
  std::shared_ptr<transformer::LayerNorm> final_layer_norm_;
};

class ClipText : public torch::nn::Module {
 public:
  /// Tensors without values. Throws Error{data} if the numbers do not fit each other.
  explicit ClipText(const ClipTextConfig&);
  /// Reads config.json and the weights of a CLIPTextModel; names with and without `text_model.` in front
  /// (transformers 5.6 dropped it) are understood, and the text half of a CLIPModel or of a
  /// CLIPTextModelWithProjection is taken out. fp32 in memory, no gradients. Throws Error{missing_input |
  /// data}.
  static std::shared_ptr<ClipText> load(const std::string& directory, c10::Device device);

  /// input_ids [n, L] int64, L up to max_position_embeddings; attention_mask [n, L] (0: padding) or
  /// undefined. Stable Diffusion gives no mask: padding is attended to. clip_skip: so many of the last layers
  /// are left out, as the pipeline's argument of that name. The pooled row is that of the first end-of-text
  /// token; with eos_token_id 2 in the configuration (a mistake of old files) that of the largest id. Throws
  /// Error{data} for another shape.
  ClipTextOutput forward(const at::Tensor& input_ids, const at::Tensor& attention_mask = {},
                         long clip_skip = 0) const;
  const ClipTextConfig& config() const { return config_; }

 private:
  ClipTextConfig config_;
  std::shared_ptr<ClipTextTower> text_model_;
};

} // namespace scoreact
