#pragma once
/// The transformer that both CLIP towers share: layers with the norm first,
///     x += attention(layer_norm1(x)),  x += mlp(layer_norm2(x)).
/// Names as in transformers' CLIPEncoder.
#include "models/clip/clip_config.hpp"

#include <vector>

namespace scoreact {

class ClipLayer;

class ClipEncoder : public torch::nn::Module {
 public:
  explicit ClipEncoder(const ClipEncoderConfig&);
  /// x [n, L, hidden] -> same shape, without a final norm. mask and causal as transformer::attention takes
  /// them. `skipped` of the last layers are left out (what pipelines call clip_skip). Throws Error{data} if
  /// there are not that many.
  at::Tensor forward(at::Tensor x, const at::Tensor& mask, bool causal, long skipped = 0) const;

 private:
  std::vector<std::shared_ptr<ClipLayer>> layers_;
};

} // namespace scoreact
