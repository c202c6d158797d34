#pragma once
/// Frechet distance between two sets of vectors, each taken as a Gaussian:
///     |m1 - m2|^2 + tr( C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2 ),
/// the FID's formula (Heusel et al. 2017), here in pixel space. Everything in float64.
#include <ATen/core/Tensor.h>

namespace scoreact {

struct GaussianFit {
  at::Tensor mean;       ///< [d] float64
  at::Tensor covariance; ///< [d, d] float64, ddof 1 as numpy.cov
};

/// rows [n, ...] of any floating type, n >= 2, flattened to [n, d]. Throws Error{data} for fewer rows.
GaussianFit fit_gaussian(const at::Tensor& rows);

/// Never negative; 0 for equal fits. Singular covariances (fewer rows than dimensions) are fine.
double frechet_distance(const GaussianFit&, const GaussianFit&);

} // namespace scoreact
