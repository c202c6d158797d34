#include "evaluation/frechet.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {

GaussianFit fit_gaussian(const at::Tensor& rows) {
  SCOREACT_REQUIRE(rows.dim() >= 2 && rows.size(0) >= 2, ExitCode::data,
                   "Frechet distance: expected at least 2 samples, found {}",
                   rows.dim() >= 1 ? rows.size(0) : 0);
  const at::Tensor values = rows.to(at::kCPU, at::kDouble).flatten(1);
  const at::Tensor mean = values.mean(0), centred = values - mean;
  return {mean, centred.t().matmul(centred) / static_cast<double>(values.size(0) - 1)};
}

double frechet_distance(const GaussianFit& a, const GaussianFit& b) {
  SCOREACT_REQUIRE(a.mean.sizes() == b.mean.sizes(), ExitCode::data,
                   "Frechet distance: samples of {} numbers against {}", a.mean.numel(), b.mean.numel());
  torch::NoGradGuard no_grad;
  const auto [values, vectors] = at::linalg_eigh(a.covariance);
  // rounding makes eigenvalues of a singular matrix slightly negative
  const at::Tensor root = (vectors * values.clamp_min(0).sqrt()).matmul(vectors.t());
  const at::Tensor product = root.matmul(b.covariance).matmul(root);
  const double cross =
      at::linalg_eigvalsh((product + product.t()) / 2).clamp_min(0).sqrt().sum().item<double>();
  const double distance = (a.mean - b.mean).square().sum().item<double>() +
                          a.covariance.trace().item<double>() + b.covariance.trace().item<double>() -
                          2 * cross;
  return std::max(0.0, distance);
}

} // namespace scoreact
