#pragma once
/// diffusers' UNet2DModel: sinusoidal time embedding, optional class embedding, levels down, middle, levels
/// up.
#include "models/pixel_unet/blocks.hpp"
#include "models/pixel_unet/unet_config.hpp"

namespace scoreact::unet {

/// Sinusoids of the timestep [B] float32 -> [B, width] float32: [sin, cos] of t exp(-ln(10000) i / (width/2 -
/// freq_shift)), the halves exchanged if flip_sin_to_cos, a zero column appended if width is odd. In single
/// precision, as the reference.
at::Tensor timestep_embedding(const at::Tensor& timestep, long width, bool flip_sin_to_cos, long freq_shift);

/// linear, SiLU, linear
class TimeEmbedding : public torch::nn::Module {
 public:
  TimeEmbedding(long in, long width, Initial&);
  at::Tensor forward(const at::Tensor& x);

 private:
  std::shared_ptr<Linear> linear_1_, linear_2_;
};

class Unet2d : public torch::nn::Module {
 public:
  /// Throws Error{data} if the numbers of the configuration do not fit each other.
  Unet2d(const UnetConfig&, Initial);
  /// sample [B, C, H, W] fp32, timestep [B] fp32, class_labels [B] int64 (ignored, may be undefined, without
  /// class embedding) -> [B, C, H, W]. Throws Error{data} for sizes that the levels cannot halve.
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep, const at::Tensor& class_labels);
  const UnetConfig& config() const { return config_; }

 private:
  UnetConfig config_;
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::shared_ptr<TimeEmbedding> time_embedding_;
  std::shared_ptr<Embedding> class_embedding_;
  std::vector<std::shared_ptr<DownBlock>> down_blocks_;
  std::shared_ptr<MidBlock> mid_block_;
  std::vector<std::shared_ptr<UpBlock>> up_blocks_;
  std::shared_ptr<GroupNorm> conv_norm_out_;
};

} // namespace scoreact::unet
