#include "models/pixel_unet/layers.hpp"

#include "models/group_norm_silu.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact::unet {
namespace {

/// PyTorch's default for Conv2d and Linear: kaiming_uniform(a = sqrt 5) for weights, U(+-1/sqrt(fan in)) for
/// biases. The bound is computed as torch.nn.init does it, step by step in double precision.
void draw(at::Tensor& weight, at::Tensor& bias, Initial& initial) {
  if (!initial) {
    return;
  }
  const long inputs = weight.numel() / weight.size(0);
  const double fan_in = static_cast<double>(inputs);
  const double weight_bound = std::sqrt(3.0) * (std::sqrt(2.0 / (1.0 + 5.0)) / std::sqrt(fan_in));
  const double bias_bound = 1.0 / std::sqrt(fan_in);
  torch::NoGradGuard no_grad;
  weight.uniform_(-weight_bound, weight_bound, *initial);
  if (bias.defined()) {
    bias.uniform_(-bias_bound, bias_bound, *initial);
  }
}

} // namespace

Conv2d::Conv2d(long in, long out, long kernel, long stride, long padding, Initial& initial)
    : weight_(register_parameter("weight", torch::empty({out, in, kernel, kernel}))),
      bias_(register_parameter("bias", torch::empty({out}))), stride_(stride), padding_(padding) {
  draw(weight_, bias_, initial);
}

at::Tensor Conv2d::forward(const at::Tensor& x) {
  if (x.is_cpu() && weight_.size(2) == 1 && stride_ == 1 && padding_ == 0) {
    // a matrix product a sample, or one for all where a pixel's channels lie side by side; oneDNN takes up to
    // three times as long for few channels
    const auto batch = x.size(0), out = weight_.size(0), in = weight_.size(1), pixels = x.size(2) * x.size(3);
    if (in > 1 && x.is_contiguous(at::MemoryFormat::ChannelsLast) && !x.is_contiguous())
      return at::linear(x.permute({0, 2, 3, 1}), weight_.flatten(1), bias_).permute({0, 3, 1, 2});
    return at::baddbmm(bias_.view({1, out, 1}), weight_.view({1, out, in}).expand({batch, out, in}),
                       x.reshape({batch, in, pixels}))
        .view({batch, out, x.size(2), x.size(3)});
  }
  return at::conv2d(x, weight_, bias_, {stride_, stride_}, {padding_, padding_});
}

at::Tensor in_fastest_order(const at::Tensor& features) {
  // on AVX2 a network that begins with 16 or 64 channels takes a fifth less time, one with 128 the same, one
  // with 320 a twelfth more
  constexpr long few_channels = 64; // a network doubles them further down
  const bool last = features.is_cpu() && features.size(1) <= few_channels;
  return last ? features.contiguous(at::MemoryFormat::ChannelsLast) : features;
}

Linear::Linear(long in, long out, Initial& initial, LinearForm form)
    : weight_(register_parameter("weight", form.convolution ? torch::empty({out, in, 1, 1})
                                                            : torch::empty({out, in}))) {
  if (form.bias) {
    bias_ = register_parameter("bias", torch::empty({out}));
  }
  draw(weight_, bias_, initial);
}

at::Tensor Linear::forward(const at::Tensor& x) {
  return at::linear(x, weight_.dim() == 2 ? weight_ : weight_.flatten(1), bias_);
}

GroupNorm::GroupNorm(long groups, long channels, double eps)
    : weight_(register_parameter("weight", torch::ones({channels}))),
      bias_(register_parameter("bias", torch::zeros({channels}))), groups_(groups), eps_(eps) {}

at::Tensor GroupNorm::forward(const at::Tensor& x) {
  // LibTorch's own for channels_last on the host takes 20 times as long
  return at::group_norm(x.is_cpu() ? x.contiguous() : x, groups_, weight_, bias_, eps_);
}

at::Tensor GroupNorm::forward_silu(const at::Tensor& x, const at::Tensor& shift) {
  return group_norm_silu(x, shift, weight_, bias_, groups_, eps_);
}

LayerNorm::LayerNorm(long width, double eps)
    : weight_(register_parameter("weight", torch::ones({width}))),
      bias_(register_parameter("bias", torch::zeros({width}))), eps_(eps) {}

at::Tensor LayerNorm::forward(const at::Tensor& x) {
  return at::layer_norm(x, weight_.sizes(), weight_, bias_, eps_);
}

Embedding::Embedding(long count, long width, Initial& initial)
    : weight_(register_parameter("weight", torch::empty({count, width}))) {
  if (initial) {
    torch::NoGradGuard no_grad;
    weight_.normal_(0, 1, *initial);
  }
}

at::Tensor Embedding::forward(const at::Tensor& indices) { return at::embedding(weight_, indices); }

} // namespace scoreact::unet
