#pragma once
/// F_phi of eq. 20: the trained branch of the value function, a scalar network of (state, noise time, prompt)
/// for small models. Images: three convolutions, then an MLP on pooled features, time features and a prompt
/// embedding; vectors: the MLP alone. The last layer starts at 0, so that V starts as c_skip RM.
#include <torch/torch.h>

#include <vector>

namespace scoreact {

class ValueNetworkImpl : public torch::nn::Module {
 public:
  /// @param sample_shape [C, H, W] or [d];  num_prompts 0 = unconditional
  ValueNetworkImpl(const std::vector<long>& sample_shape, long num_prompts, long hidden);
  /// x [rows, ...] fp32, tau [rows] fp32, prompt [rows] int64 (undefined if unconditional) -> [rows] fp32
  at::Tensor forward(const at::Tensor& x, const at::Tensor& tau, const at::Tensor& prompt);

 private:
  torch::nn::Sequential features_{nullptr};
  torch::nn::Embedding prompt_{nullptr};
  torch::nn::Linear input_{nullptr}, hidden_{nullptr}, output_{nullptr};
};
TORCH_MODULE(ValueNetwork);

} // namespace scoreact
