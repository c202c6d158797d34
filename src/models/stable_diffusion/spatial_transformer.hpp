#pragma once
/// diffusers' Transformer2DModel: the pixels of a feature map as tokens that attend to each other and to a
/// text. GroupNorm, projection in, blocks of self-attention, cross-attention and GEGLU, projection out,
/// residual connection.
#include "models/pixel_unet/spatial_attention.hpp"
#include "models/stable_diffusion/adapted_linear.hpp"

#include <vector>

namespace scoreact::unet {

/// diffusers' Attention: projections without bias, scale head_dim^-1/2, output projection with bias.
class ContextAttention : public torch::nn::Module {
 public:
  ContextAttention(long channels, long context_width, long heads, Initial&);
  /// x [B, n, channels] asks, context [B, m, context_width] answers -> [B, n, channels]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& context, bool adapted);

 private:
  std::shared_ptr<AdaptedLinear> to_q_, to_k_, to_v_, to_out_;
  long heads_;
};

/// diffusers' FeedForward with GEGLU: (hidden, gate) = W x, hidden gelu(gate) with the exact GELU, W'.
class FeedForward : public torch::nn::Module {
 public:
  FeedForward(long channels, Initial&);
  at::Tensor forward(const at::Tensor& x, bool adapted);

 private:
  std::shared_ptr<AdaptedLinear> in_, out_;
};

struct TransformerShape {
  long channels = 320;
  long heads = 8;
  long layers = 1;
  long context_width = 768;
  long groups = 32;
  bool context_only = false; ///< the first attention of a block reads the context, too
  bool linear_ends = false;  ///< projections in and out are linear maps in the file, else 1x1 convolutions
};

/// diffusers' BasicTransformerBlock: x += attn1(norm1 x), x += attn2(norm2 x, context), x += ff(norm3 x).
class TransformerBlock : public torch::nn::Module {
 public:
  TransformerBlock(const TransformerShape&, Initial&);
  /// x [B, n, channels]
  at::Tensor forward(const at::Tensor& x, const Conditions&);

 private:
  std::shared_ptr<LayerNorm> norm1_, norm2_, norm3_;
  std::shared_ptr<ContextAttention> attn1_, attn2_;
  std::shared_ptr<FeedForward> ff_;
  bool context_only_;
};

class SpatialTransformer : public SpatialAttention {
 public:
  SpatialTransformer(const TransformerShape&, Initial&);
  at::Tensor forward(const at::Tensor& x, const Conditions&) override;

 private:
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<AdaptedLinear> proj_in_, proj_out_;
  std::vector<std::shared_ptr<TransformerBlock>> blocks_;
};

} // namespace scoreact::unet
