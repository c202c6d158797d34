#pragma once
/// Self-attention over pixels as in diffusers' AttnDownBlock2D, AttnUpBlock2D, UNetMidBlock2D and
/// AutoencoderKL (the former AttentionBlock): GroupNorm inside, biases on all four projections, residual
/// connection, scale head_dim^-1/2.
#include "models/pixel_unet/layers.hpp"
#include "models/pixel_unet/spatial_attention.hpp"

#include <torch/nn/modules/container/modulelist.h>

namespace scoreact::unet {

class AttentionBlock : public SpatialAttention {
 public:
  /// `groups` none: no norm. Throws Error{data} if head_dim is wider than the channels.
  AttentionBlock(long channels, long head_dim, std::optional<long> groups, double eps, double output_scale,
                 Initial&);
  at::Tensor forward(const at::Tensor& x, const Conditions&) override;

 private:
  std::shared_ptr<GroupNorm> group_norm_;
  std::shared_ptr<Linear> to_q_, to_k_, to_v_, to_out_;
  long heads_;
  double output_scale_;
};

} // namespace scoreact::unet
