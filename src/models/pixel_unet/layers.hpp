#pragma once
/// The leaf layers of diffusers' networks: 2-D convolution, linear map, group norm, embedding. Each holds its
/// tensors under PyTorch's names and draws PyTorch's default initial values in PyTorch's order, so that the
/// same CPU generator gives the same network as Python does.
#include <ATen/core/Generator.h>
#include <torch/nn/module.h>

#include <memory>
#include <optional>

namespace scoreact::unet {

/// Where initial values come from; none: the tensors stay uninitialised because weights will be loaded.
using Initial = std::optional<at::Generator>;

/// x [B, in, H, W] -> [B, out, H', W'], square kernel with bias.
class Conv2d : public torch::nn::Module {
 public:
  Conv2d(long in, long out, long kernel, long stride, long padding, Initial&);
  at::Tensor forward(const at::Tensor& x);
  const at::Tensor& weight() const { return weight_; }

 private:
  at::Tensor weight_, bias_;
  long stride_, padding_;
};

/// The first feature map [B, C, H, W] of a network in the order in memory that makes its layers, which keep
/// it, fastest: on the host channels_last where channels are few, otherwise as it is.
at::Tensor in_fastest_order(const at::Tensor& features);

struct LinearForm {
  bool bias = true;
  bool convolution = false; ///< the weight's shape is [out, in, 1, 1], as files keep a 1x1 convolution
};

/// x [..., in] -> [..., out]
class Linear : public torch::nn::Module {
 public:
  Linear(long in, long out, Initial&, LinearForm form = {});
  at::Tensor forward(const at::Tensor& x);
  const at::Tensor& weight() const { return weight_; }

 private:
  at::Tensor weight_, bias_;
};

/// x [B, C, ...], affine.
class GroupNorm : public torch::nn::Module {
 public:
  GroupNorm(long groups, long channels, double eps);
  at::Tensor forward(const at::Tensor& x);
  /// silu(forward(x + shift)), fused on the host; shift [B, C] or undefined.
  at::Tensor forward_silu(const at::Tensor& x, const at::Tensor& shift = {});

 private:
  at::Tensor weight_, bias_;
  long groups_;
  double eps_;
};

/// x [..., width], affine, over the last axis.
class LayerNorm : public torch::nn::Module {
 public:
  LayerNorm(long width, double eps);
  at::Tensor forward(const at::Tensor& x);

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

/// indices [B] int64 -> [B, width]
class Embedding : public torch::nn::Module {
 public:
  Embedding(long count, long width, Initial&);
  at::Tensor forward(const at::Tensor& indices);

 private:
  at::Tensor weight_;
};

} // namespace scoreact::unet
