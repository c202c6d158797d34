#pragma once
/// The trained part of an analytic model: a residual r(tau, x) added to the exact score, zero at the start.
///   r = kappa(tau) [ b(tau) + A(tau) y + mlp(tau, y) ],
///   y = (x - alpha m) / sqrt(v),   v = alpha^2 S^2 + sigma^2,
/// with m and S^2 mean and variance (a dimension) of the data, and kappa = alpha S^2 / v, the slope of
/// E[X_data | X_tau = x] in x. So b is a constant push on the *data*, seen from noise level tau, and all
/// entries of b, A and the network are of the same order at every tau: Adam treats them alike. b and A are
/// piecewise linear in log(alpha/sigma) on fixed knots. The optimum of a linear reward on a Gaussian
/// (docs/mathematics.md, G2) is b = u / lambda, A = 0.
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace scoreact {

/// constant: b alone (holds the optimum of a linear reward on a Gaussian); affine: b + A y; mlp: all three
/// terms.
enum class ResidualKind { constant, affine, mlp };

/// What the residual knows of data and schedule (nothing of the reward).
struct ResidualScales {
  std::vector<double> mean; ///< [d] of the data
  double variance = 1;      ///< S^2, a dimension
  double log_snr_low = -5;  ///< log(alpha/sigma) at the noise end: first knot
  double log_snr_high = 5;  ///< at the data end: last knot
};

class ResidualPolicy {
 public:
  static constexpr long num_knots = 16;
  /// @param hidden width of the two hidden layers of mlp; not read otherwise.
  ResidualPolicy(ResidualScales scales, ResidualKind kind, long hidden);

  /// r [rows, d] float64 for x [rows, d] float64 and alpha, sigma [rows] float64. A row's result does not
  /// depend on the other rows (affine part).
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& alpha, const at::Tensor& sigma) const;

  /// bias [knots, d], slope [knots, d, d] (A transposed: input, output), mlp.*: float32.
  const std::vector<std::pair<std::string, at::Tensor>>& parameters() const { return parameters_; }
  /// The same values in new tensors that need no gradient.
  ResidualPolicy frozen_copy() const;

 private:
  /// log(alpha/sigma) in units of the knots' spacing, in [0, knots - 1]: [rows].
  at::Tensor position(const at::Tensor& alpha, const at::Tensor& sigma) const;
  const at::Tensor& parameter(std::size_t index) const { return parameters_[index].second; }
  ResidualScales scales_;
  ResidualKind kind_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
};

} // namespace scoreact
