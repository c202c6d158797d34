#pragma once
/// The leaf layers of the frozen transformers (CLIP, BLIP, BERT): linear map, layer norm, embedding table,
/// and attention over heads. Tensors bear PyTorch's names, hold no values until weights are loaded, and do
/// not require gradients.
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>

namespace scoreact::transformer {

/// x [..., in] -> [..., out].
class Linear : public torch::nn::Module {
 public:
  Linear(long in, long out, bool bias = true);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
};

/// x [..., width], affine.
class LayerNorm : public torch::nn::Module {
 public:
  LayerNorm(long width, double eps);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

/// A table [count, width] looked up by row.
class Embedding : public torch::nn::Module {
 public:
  Embedding(long count, long width);
  /// ids [...] int64 -> [..., width]
  at::Tensor forward(const at::Tensor& ids) const;
  /// The first `count` rows [count, width]: positions 0 .. count-1.
  at::Tensor first(long count) const;
  long count() const { return weight_.size(0); }

 private:
  at::Tensor weight_;
};

/// Square patches without overlap: images [n, channels, H, W] -> tokens [n, patches, width], row by row.
class PatchEmbedding : public torch::nn::Module {
 public:
  PatchEmbedding(long channels, long width, long patch, bool bias);
  at::Tensor forward(const at::Tensor& images) const;

 private:
  at::Tensor weight_, bias_;
  long patch_;
};

/// softmax(q k^T / sqrt(width / heads) + mask) v over heads that lie side by side in the last axis.
/// q [n, Lq, width], k and v [n, Lk, width], mask boolean (true: may be seen) or additive, broadcast to
/// [n, heads, Lq, Lk], or undefined; causal: a query sees keys up to its own place (without mask only).
/// Returns [n, Lq, width].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, long heads,
                     const at::Tensor& mask = {}, bool causal = false);

/// What a configuration calls hidden_act.
enum class Activation { gelu, quick_gelu };
/// "gelu" (exact, with erf) or "quick_gelu". Throws Error{data} for another name; `where` is the file.
Activation activation_of(const std::string& name, const std::string& where);
/// gelu: x Phi(x); quick_gelu: x sigmoid(1.702 x).
at::Tensor activate(Activation activation, const at::Tensor& x);

} // namespace scoreact::transformer
