#pragma once
/// The levels of diffusers' U-Nets and of its AutoencoderKL: DownBlock2D and its relatives with attention,
/// UNetMidBlock2D, UpBlock2D. Attention is given from outside, so that pixels alone, pixels with a text, and
/// encoders without time share one form.
#include "models/pixel_unet/resnet_block.hpp"
#include "models/pixel_unet/spatial_attention.hpp"

#include <functional>
#include <vector>

namespace scoreact::unet {

/// Makes the attention behind a residual block, drawing its initial values.
using MakeAttention = std::function<std::shared_ptr<SpatialAttention>(Initial&)>;

struct LevelShape {
  long layers = 2; ///< residual blocks
  ResnetShape resnet;
  MakeAttention attention; ///< empty: none
};

/// Residual blocks (each followed by attention if there is one), then a convolution of stride 2 unless this
/// is the last level.
class DownBlock : public torch::nn::Module {
 public:
  /// `downsample`: padding of the convolution of stride 2 (0: pad right and bottom by one beforehand); none:
  /// no such convolution.
  DownBlock(long in, long out, std::optional<long> downsample, const LevelShape&, Initial&);
  /// Appends what the way up will need to `skips`, unless null; returns the input of the next level.
  at::Tensor forward(at::Tensor x, const Conditions&, std::vector<at::Tensor>* skips);

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::vector<std::shared_ptr<SpatialAttention>> attentions_;
  std::shared_ptr<Conv2d> downsample_;
  bool pad_right_bottom_;
};

/// Residual block, attention, residual block; attention may be absent.
class MidBlock : public torch::nn::Module {
 public:
  MidBlock(long channels, const ResnetShape&, const MakeAttention&, Initial&);
  at::Tensor forward(const at::Tensor& x, const Conditions&);

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::vector<std::shared_ptr<SpatialAttention>> attentions_;
};

/// Residual blocks on [hidden, skip], or on hidden alone, then nearest-neighbour enlargement and a
/// convolution unless this is the last level.
class UpBlock : public torch::nn::Module {
 public:
  /// `inputs`: channels that each residual block reads, those of its skip included.
  UpBlock(const std::vector<long>& inputs, long out, bool upsample, const LevelShape&, Initial&);
  /// Takes its skips from the end of `skips`, unless null, and enlarges to the size of the next one; without
  /// a next one, twofold.
  at::Tensor forward(at::Tensor x, const Conditions&, std::vector<at::Tensor>* skips);

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::vector<std::shared_ptr<SpatialAttention>> attentions_;
  std::shared_ptr<Conv2d> upsample_;
};

/// Channels that the residual blocks of a U-Net's way up read: `previous` come from below, `out` is the
/// level's width, `next` that of the level above, whose way down gave the last skip.
std::vector<long> skip_inputs(long layers, long previous, long out, long next);

} // namespace scoreact::unet
