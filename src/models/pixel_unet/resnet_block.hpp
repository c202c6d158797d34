#pragma once
/// diffusers' ResnetBlock2D: GroupNorm, SiLU, 3x3 convolution, time embedding, GroupNorm, SiLU, 3x3
/// convolution, shortcut.
#include "models/pixel_unet/layers.hpp"
#include "models/pixel_unet/unet_config.hpp"

namespace scoreact::unet {

class ResnetBlock : public torch::nn::Module {
 public:
  ResnetBlock(long in, long out, const UnetConfig&, double output_scale, Initial&);
  /// x [B, in, H, W] and time [B, T], the SiLU of the time embedding -> [B, out, H, W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& time);

 private:
  std::shared_ptr<GroupNorm> norm1_, norm2_;
  std::shared_ptr<Conv2d> conv1_, conv2_, conv_shortcut_;
  std::shared_ptr<Linear> time_emb_proj_;
  bool scale_shift_;
  double output_scale_;
};

} // namespace scoreact::unet
