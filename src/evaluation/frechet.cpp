#include "evaluation/frechet.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {

void GaussianSums::add(const at::Tensor& rows) {
  if (rows.size(0) == 0)
    return;
  torch::NoGradGuard no_grad;
  const at::Tensor values = rows.to(at::kCPU, at::kDouble).flatten(1);
  if (!shift_.defined()) {
    shift_ = values.mean(0);
    sum_ = at::zeros_like(shift_);
    products_ = at::zeros({values.size(1), values.size(1)}, values.options());
  }
  const at::Tensor centred = values - shift_;
  sum_ += centred.sum(0);
  products_.addmm_(centred.t(), centred);
  count_ += values.size(0);
}

GaussianFit GaussianSums::fit() const {
  SCOREACT_REQUIRE(count_ >= 2, ExitCode::data, "Frechet distance: expected at least 2 samples, found {}",
                   count_);
  const auto n = static_cast<double>(count_);
  const at::Tensor mean = sum_ / n;
  return {shift_ + mean, (products_ - n * at::outer(mean, mean)) / (n - 1)};
}

GaussianFit fit_gaussian(const at::Tensor& rows) {
  SCOREACT_REQUIRE(rows.dim() >= 2, ExitCode::data, "Frechet distance: expected rows, found {} axes",
                   rows.dim());
  GaussianSums sums;
  sums.add(rows);
  return sums.fit();
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
