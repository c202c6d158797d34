#pragma once
/// All trainable tensors of a network as one flat fp32 buffer, and their gradients as another: one optimiser
/// kernel, one reduction over ranks, one norm. The network's tensors become views into the buffer.
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace scoreact {

class FlatParameters {
 public:
  /// Re-points every tensor (fp32, requires_grad) into the flat buffer, values kept.
  explicit FlatParameters(std::vector<std::pair<std::string, at::Tensor>> named);
  const at::Tensor& values() const { return values_; }     ///< [n] fp32
  const at::Tensor& gradient() const { return gradient_; } ///< [n] fp32; the tensors' grads are views of it
  long size() const { return values_.numel(); }
  void zero_gradient();
  const std::vector<std::pair<std::string, at::Tensor>>& named() const { return named_; }
  /// `flat` [n] (an EMA, say) cut into the shapes of the named tensors, views of it.
  std::vector<std::pair<std::string, at::Tensor>> views_of(const at::Tensor& flat) const;

 private:
  std::vector<std::pair<std::string, at::Tensor>> named_;
  at::Tensor values_, gradient_;
};

} // namespace scoreact
