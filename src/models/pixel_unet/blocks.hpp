#pragma once
/// The levels of diffusers' UNet2DModel: DownBlock2D / AttnDownBlock2D, UNetMidBlock2D, UpBlock2D /
/// AttnUpBlock2D.
#include "models/pixel_unet/attention_block.hpp"
#include "models/pixel_unet/resnet_block.hpp"

#include <vector>

namespace scoreact::unet {

/// Residual blocks (each followed by attention if `attention`), then a convolution of stride 2 unless this is
/// the last level.
class DownBlock : public torch::nn::Module {
 public:
  DownBlock(bool attention, long in, long out, bool downsample, const UnetConfig&, Initial&);
  /// Appends what the way up will need to `skips`; returns the input of the next level.
  at::Tensor forward(at::Tensor x, const at::Tensor& time, std::vector<at::Tensor>& skips);

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::vector<std::shared_ptr<AttentionBlock>> attentions_;
  std::shared_ptr<Conv2d> downsample_;
  bool pad_right_bottom_;
};

/// Residual block, attention, residual block.
class MidBlock : public torch::nn::Module {
 public:
  MidBlock(long channels, const UnetConfig&, Initial&);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& time);

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::shared_ptr<AttentionBlock> attention_;
};

/// Residual blocks on [hidden, skip], then nearest-neighbour doubling and a convolution unless this is the
/// last level.
class UpBlock : public torch::nn::Module {
 public:
  UpBlock(bool attention, long in, long out, long previous_out, bool upsample, const UnetConfig&, Initial&);
  /// Takes its skips from the end of `skips`.
  at::Tensor forward(at::Tensor x, const at::Tensor& time, std::vector<at::Tensor>& skips);

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::vector<std::shared_ptr<AttentionBlock>> attentions_;
  std::shared_ptr<Conv2d> upsample_;
};

} // namespace scoreact::unet
