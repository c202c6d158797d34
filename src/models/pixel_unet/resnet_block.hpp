#pragma once
/// diffusers' ResnetBlock2D: GroupNorm, SiLU, 3x3 convolution, time embedding, GroupNorm, SiLU, 3x3
/// convolution, shortcut.
#include "models/pixel_unet/layers.hpp"

namespace scoreact::unet {

struct ResnetShape {
  std::optional<long> time_width; ///< of the time embedding; none: the block knows no time
  long groups = 32;               ///< of both norms
  double eps = 1e-5;
  bool scale_shift = false; ///< time enters as factor and shift behind norm2, else as shift before it
  double output_scale = 1;  ///< the sum with the shortcut is divided by it
};

class ResnetBlock : public torch::nn::Module {
 public:
  ResnetBlock(long in, long out, const ResnetShape&, Initial&);
  /// x [B, in, H, W] and time [B, T], the SiLU of the time embedding (undefined without time) -> [B, out, H,
  /// W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& time);

 private:
  std::shared_ptr<GroupNorm> norm1_, norm2_;
  std::shared_ptr<Conv2d> conv1_, conv2_, conv_shortcut_;
  std::shared_ptr<Linear> time_emb_proj_;
  bool scale_shift_;
  double output_scale_;
};

} // namespace scoreact::unet
