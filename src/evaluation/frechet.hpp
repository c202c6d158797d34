#pragma once
/// Frechet distance between two sets of vectors, each taken as a Gaussian:
///     |m1 - m2|^2 + tr( C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2 ),
/// the FID's formula (Heusel et al. 2017), for pixels, features of a small classifier or of Inception.
/// Everything in float64.
#include <ATen/core/Tensor.h>

namespace scoreact {

struct GaussianFit {
  at::Tensor mean;       ///< [d] float64
  at::Tensor covariance; ///< [d, d] float64, ddof 1 as numpy.cov
};

/// The fit of rows that come batch by batch: memory for d x d numbers, however many rows there are. The sums
/// are about the mean of the first batch, so that nothing cancels.
class GaussianSums {
 public:
  /// rows [n, ...] of any floating type, flattened to [n, d]; n = 0 is fine.
  void add(const at::Tensor& rows);
  long count() const { return count_; }
  /// Throws Error{data} for fewer than 2 rows.
  GaussianFit fit() const;

 private:
  at::Tensor shift_, sum_, products_; ///< [d], [d], [d, d] float64 on the host
  long count_ = 0;
};

/// rows [n, ...] of any floating type, n >= 2, flattened to [n, d]. Throws Error{data} for fewer rows.
GaussianFit fit_gaussian(const at::Tensor& rows);

/// Never negative; 0 for equal fits. Singular covariances (fewer rows than dimensions) are fine.
double frechet_distance(const GaussianFit&, const GaussianFit&);

} // namespace scoreact
