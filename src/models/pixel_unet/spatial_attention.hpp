#pragma once
/// What may stand behind a residual block and mix the pixels of a feature map: AttentionBlock (the pixels
/// among themselves) or SpatialTransformer (also with a text).
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

namespace scoreact::unet {

/// What the layers of a network get beside the pixels.
struct Conditions {
  at::Tensor time{};      ///< [B, T], SiLU of the time embedding; undefined for networks without time
  at::Tensor context{};   ///< [B, n, d], states of the text; undefined for networks without text
  bool adapted = true;    ///< LoRA takes part where there is one
  bool recompute = false; ///< gradient checkpointing: keep inputs of the layers only (models/recompute.hpp)
};

class SpatialAttention : public torch::nn::Module {
 public:
  /// x [B, C, H, W] -> same shape, residual connection included
  virtual at::Tensor forward(const at::Tensor& x, const Conditions&) = 0;
};

/// softmax(q k^T / sqrt(d)) v over [B, heads, tokens, d].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

} // namespace scoreact::unet
