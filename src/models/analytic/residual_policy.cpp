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

ResidualPolicy::ResidualPolicy(ResidualScales scales, ResidualKind kind, long hidden)
    : scales_(std::move(scales)), kind_(kind) {
  const long d = static_cast<long>(scales_.mean.size());
  parameters_.emplace_back("bias", torch::zeros({num_knots, d}));
  if (kind_ != ResidualKind::constant) {
    parameters_.emplace_back("slope", torch::zeros({num_knots, d, d}));
  }
  if (kind_ == ResidualKind::mlp) {
    auto generator = at::detail::createCPUGenerator(initial_weights_seed);
    parameters_.emplace_back("mlp.0.weight", weight(hidden, d + num_knots, generator));
    parameters_.emplace_back("mlp.0.bias", torch::zeros({hidden}));
    parameters_.emplace_back("mlp.2.weight", weight(hidden, hidden, generator));
    parameters_.emplace_back("mlp.2.bias", torch::zeros({hidden}));
    parameters_.emplace_back("mlp.4.weight", torch::zeros({d, hidden}));
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

at::Tensor ResidualPolicy::position(const at::Tensor& alpha, const at::Tensor& sigma) const {
  const double spacing = (scales_.log_snr_high - scales_.log_snr_low) / static_cast<double>(num_knots - 1);
  return ((torch::log(alpha / sigma) - scales_.log_snr_low) / spacing)
      .clamp(0.0, static_cast<double>(num_knots - 1));
}

at::Tensor ResidualPolicy::operator()(const at::Tensor& x, const at::Tensor& alpha,
                                      const at::Tensor& sigma) const {
  const auto a = alpha.unsqueeze(1);
  const auto variance = a.square() * scales_.variance + sigma.unsqueeze(1).square();
  const auto mean = torch::tensor(scales_.mean, x.options());
  const auto y = (x - a * mean) / variance.sqrt();
  const long d = x.size(1);
  // Bias and slope between the two knots around each row; look-ups and elementwise sums, no matrix product,
  // so that a row's rounding cannot depend on its batch. embedding has a deterministic backward pass on every
  // device.
  const auto where = position(alpha, sigma);
  const auto left = where.detach().floor().clamp_max(static_cast<double>(num_knots - 2)).to(torch::kInt64);
  const auto share = (where - left).unsqueeze(1);
  auto table = parameter(0);
  if (kind_ != ResidualKind::constant) {
    table = torch::cat({table, parameter(1).flatten(1)}, 1);
  }
  table = table.to(torch::kFloat64);
  const auto between =
      torch::embedding(table, left) * (1.0 - share) + torch::embedding(table, left + 1) * share;
  auto push = between.narrow(1, 0, d);
  for (long j = 0; j < d && kind_ != ResidualKind::constant; ++j) { // A y, column by column of A^T
    push = push + between.narrow(1, d + j * d, d) * y.narrow(1, j, 1);
  }
  if (kind_ == ResidualKind::mlp) {
    const auto knot_numbers = torch::arange(num_knots, where.options());
    const auto hats = torch::relu(1.0 - (where.unsqueeze(1) - knot_numbers).abs());
    const auto features = torch::cat({y, hats}, 1);
    const auto first = torch::silu(
        torch::linear(features, parameter(2).to(torch::kFloat64), parameter(3).to(torch::kFloat64)));
    const auto second =
        torch::silu(torch::linear(first, parameter(4).to(torch::kFloat64), parameter(5).to(torch::kFloat64)));
    push = push + torch::linear(second, parameter(6).to(torch::kFloat64));
  }
  return a * scales_.variance / variance * push;
}

} // namespace scoreact
