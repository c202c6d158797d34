#include "models/analytic/residual_policy.hpp"

#include <torch/torch.h>

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace scoreact {
namespace {

constexpr std::uint64_t initial_weights_seed =
    0x5c03eac7; // the same network in every run: only the rollouts are random

at::Tensor weight(long rows, long columns, at::Generator& generator) {
  const auto values =
      torch::randn({rows, columns}, generator, torch::kFloat64) / std::sqrt(static_cast<double>(columns));
  return values.to(torch::kFloat32);
}

} // namespace

ResidualPolicy::ResidualPolicy(ResidualScales scales, long hidden)
    : scales_(std::move(scales)), hidden_(hidden) {
  const long d = static_cast<long>(scales_.mean.size());
  parameters_.emplace_back("bias", torch::zeros({num_knots, d}));
  parameters_.emplace_back("slope", torch::zeros({num_knots, d, d}));
  if (hidden_ > 0) {
    auto generator = at::detail::createCPUGenerator(initial_weights_seed);
    parameters_.emplace_back("mlp.0.weight", weight(hidden_, d + num_knots, generator));
    parameters_.emplace_back("mlp.0.bias", torch::zeros({hidden_}));
    parameters_.emplace_back("mlp.2.weight", weight(hidden_, hidden_, generator));
    parameters_.emplace_back("mlp.2.bias", torch::zeros({hidden_}));
    parameters_.emplace_back("mlp.4.weight", torch::zeros({d, hidden_}));
  }
  for (auto& [name, tensor] : parameters_) {
    tensor.set_requires_grad(true);
  }
}

ResidualPolicy ResidualPolicy::frozen_copy() const {
  ResidualPolicy copy = *this;
  for (auto& [name, tensor] : copy.parameters_) {
    tensor = tensor.detach().clone();
  }
  return copy;
}

at::Tensor ResidualPolicy::hats(const at::Tensor& alpha, const at::Tensor& sigma) const {
  const double spacing = (scales_.log_snr_high - scales_.log_snr_low) / static_cast<double>(num_knots - 1);
  const auto position = ((torch::log(alpha / sigma) - scales_.log_snr_low) / spacing)
                            .clamp(0.0, static_cast<double>(num_knots - 1));
  const auto knots = torch::arange(num_knots, position.options());
  return torch::relu(1.0 - (position.unsqueeze(1) - knots).abs());
}

at::Tensor ResidualPolicy::operator()(const at::Tensor& x, const at::Tensor& alpha,
                                      const at::Tensor& sigma) const {
  const auto a = alpha.unsqueeze(1);
  const auto variance = a.square() * scales_.variance + sigma.unsqueeze(1).square();
  const auto mean = torch::tensor(scales_.mean, x.options());
  const auto y = (x - a * mean) / variance.sqrt();
  const auto basis = hats(alpha, sigma);
  // Products and sums, no matrix product: at most two hats are not zero, so that rounding cannot depend on
  // the batch.
  const auto bias = (basis.unsqueeze(2) * parameter(0).to(torch::kFloat64)).sum(1);
  const auto slope = (basis.unsqueeze(2).unsqueeze(3) * parameter(1).to(torch::kFloat64)).sum(1);
  auto push = bias + (slope * y.unsqueeze(1)).sum(2);
  if (hidden_ > 0) {
    const auto features = torch::cat({y, basis}, 1);
    const auto first = torch::silu(
        torch::linear(features, parameter(2).to(torch::kFloat64), parameter(3).to(torch::kFloat64)));
    const auto second =
        torch::silu(torch::linear(first, parameter(4).to(torch::kFloat64), parameter(5).to(torch::kFloat64)));
    push = push + torch::linear(second, parameter(6).to(torch::kFloat64));
  }
  return a * scales_.variance / variance * push;
}

} // namespace scoreact
