#pragma once
/// A linear map with room for a LoRA (Hu et al. 2021, arXiv:2106.09685): y = W x + b + scale up(down(x)).
#include "models/pixel_unet/layers.hpp"

namespace scoreact::unet {

/// One tensor called "weight".
class LoraMatrix : public torch::nn::Module {
 public:
  explicit LoraMatrix(const at::Tensor& values);
  at::Tensor weight;
};

/// Children "down" [rank, in] and "up" [out, rank].
class LoraAdapter : public torch::nn::Module {
 public:
  LoraAdapter(const at::Tensor& down, const at::Tensor& up, double scale);
  /// base + scale up(down(x)), computed in the adapter's dtype, as peft does, and given in that of `base`.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& base) const;
  const at::Tensor& down() const { return down_->weight; }
  const at::Tensor& up() const { return up_->weight; }
  double scale() const { return scale_; }

 private:
  std::shared_ptr<LoraMatrix> down_, up_;
  double scale_;
};

/// Its LoRA, if there is one, is its child "lora".
class AdaptedLinear : public Linear {
 public:
  AdaptedLinear(long in, long out, Initial&, LinearForm form = {});
  /// x [..., in] -> [..., out]; `adapted` false: without the LoRA.
  at::Tensor forward(const at::Tensor& x, bool adapted);
  /// Replaces the LoRA; the tensors become trainable parameters. Throws Error{data} for shapes that do not
  /// fit.
  void adapt(const at::Tensor& down, const at::Tensor& up, double scale);
  void remove_adapter();
  const std::shared_ptr<LoraAdapter>& adapter() const { return adapter_; }
  long in() const { return in_; }
  long out() const { return out_; }

 private:
  long in_, out_;
  std::shared_ptr<LoraAdapter> adapter_;
};

} // namespace scoreact::unet
