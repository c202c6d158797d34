#include "models/transformer/layers.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

namespace scoreact::transformer {

Linear::Linear(long in, long out, bool bias)
    : weight_(register_parameter("weight", torch::empty({out, in}), false)) {
  if (bias) {
    bias_ = register_parameter("bias", torch::empty({out}), false);
  }
}

at::Tensor Linear::forward(const at::Tensor& x) const { return at::linear(x, weight_, bias_); }

LayerNorm::LayerNorm(long width, double eps)
    : weight_(register_parameter("weight", torch::empty({width}), false)),
      bias_(register_parameter("bias", torch::empty({width}), false)), eps_(eps) {}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, eps_);
}

Embedding::Embedding(long count, long width)
    : weight_(register_parameter("weight", torch::empty({count, width}), false)) {}

at::Tensor Embedding::forward(const at::Tensor& ids) const { return at::embedding(weight_, ids); }

at::Tensor Embedding::first(long count) const { return weight_.slice(0, 0, count); }

PatchEmbedding::PatchEmbedding(long channels, long width, long patch, bool bias)
    : weight_(register_parameter("weight", torch::empty({width, channels, patch, patch}), false)),
      patch_(patch) {
  if (bias) {
    bias_ = register_parameter("bias", torch::empty({width}), false);
  }
}

at::Tensor PatchEmbedding::forward(const at::Tensor& images) const {
  return at::conv2d(images, weight_, bias_, {patch_, patch_}).flatten(2).transpose(1, 2);
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, long heads,
                     const at::Tensor& mask, bool causal) {
  const auto split = [heads](const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  };
  const at::Tensor mixed =
      mask.defined() ? at::scaled_dot_product_attention(split(q), split(k), split(v), mask)
                     : at::scaled_dot_product_attention(split(q), split(k), split(v), {}, 0.0, causal);
  return mixed.transpose(1, 2).reshape(q.sizes());
}

Activation activation_of(const std::string& name, const std::string& where) {
  SCOREACT_REQUIRE(name == "gelu" || name == "quick_gelu", ExitCode::data,
                   "{}: hidden_act: expected \"gelu\" or \"quick_gelu\", found \"{}\"", where, name);
  return name == "gelu" ? Activation::gelu : Activation::quick_gelu;
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  return activation == Activation::gelu ? at::gelu(x) : x * at::sigmoid(1.702 * x);
}

} // namespace scoreact::transformer
