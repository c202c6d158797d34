#include "rl/value_network.hpp"

#include <numbers>

namespace scoreact {

namespace {

constexpr long kTimeFeatures = 8;

/// [tau, cos(pi tau/2), sin(pi tau/2), cos and sin of higher frequencies]: [rows, kTimeFeatures]
at::Tensor time_features(const at::Tensor& tau) {
  std::vector<at::Tensor> columns = {tau, tau * tau};
  for (const double frequency : {0.5, 1.0, 2.0}) {
    const at::Tensor angle = tau * (frequency * std::numbers::pi);
    columns.push_back(angle.cos());
    columns.push_back(angle.sin());
  }
  return at::stack(columns, 1);
}

} // namespace

ValueNetworkImpl::ValueNetworkImpl(const std::vector<long>& sample_shape, long num_prompts, long hidden) {
  namespace nn = torch::nn;
  long width = 1;
  if (sample_shape.size() == 3) {
    const long c = sample_shape[0];
    features_ = register_module(
        "features",
        nn::Sequential(nn::Conv2d(nn::Conv2dOptions(c, hidden / 4, 3).padding(1)), nn::SiLU(),
                       nn::Conv2d(nn::Conv2dOptions(hidden / 4, hidden / 2, 3).padding(1).stride(2)),
                       nn::SiLU(),
                       nn::Conv2d(nn::Conv2dOptions(hidden / 2, hidden / 2, 3).padding(1).stride(2)),
                       nn::SiLU(), nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions(2)), nn::Flatten()));
    width = hidden / 2 * 4;
  } else {
    for (const long extent : sample_shape)
      width *= extent;
  }
  long condition = kTimeFeatures;
  if (num_prompts > 0) {
    const long embedding = std::min(hidden, 16L);
    prompt_ = register_module("prompt", nn::Embedding(num_prompts, embedding));
    condition += embedding;
  }
  input_ = register_module("input", nn::Linear(width + condition, hidden));
  hidden_ = register_module("hidden", nn::Linear(hidden, hidden));
  output_ = register_module("output", nn::Linear(hidden, 1));
  torch::NoGradGuard no_grad;
  output_->weight.zero_();
  output_->bias.zero_();
}

at::Tensor ValueNetworkImpl::forward(const at::Tensor& x, const at::Tensor& tau, const at::Tensor& prompt) {
  std::vector<at::Tensor> inputs = {features_ ? features_->forward(x) : x.flatten(1), time_features(tau)};
  if (prompt_)
    inputs.push_back(prompt_->forward(prompt));
  at::Tensor h = at::silu(input_->forward(at::cat(inputs, 1)));
  h = h + at::silu(hidden_->forward(h));
  return output_->forward(h).squeeze(1);
}

} // namespace scoreact
