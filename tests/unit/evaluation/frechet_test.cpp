// The Frechet distance against its closed forms.
#include "evaluation/frechet.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

at::Tensor doubles(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

TEST(FitGaussian, HasTheMeanAndTheUnbiasedCovarianceOfTheRows) {
  const GaussianFit fit = fit_gaussian(doubles({1, 2, 3, 6, 5, 4}).view({3, 2}).to(at::kFloat));
  EXPECT_TRUE(at::allclose(fit.mean, doubles({3, 4})));
  EXPECT_TRUE(at::allclose(fit.covariance, doubles({4, 2, 2, 4}).view({2, 2})));
}

TEST(FitGaussian, RefusesASingleRow) { EXPECT_THROW(fit_gaussian(at::zeros({1, 3})), Error); }

TEST(FrechetDistance, IsTheSumOverAxesForDiagonalCovariances) {
  const GaussianFit a{doubles({0, 1, 2}), at::diag(doubles({1, 4, 9}))};
  const GaussianFit b{doubles({1, 1, 0}), at::diag(doubles({4, 4, 1}))};
  EXPECT_NEAR(frechet_distance(a, b), 1 + 4 + (1 + 0 + 4), 1e-12); // |m|^2 + sum of (s_a - s_b)^2
}

TEST(FrechetDistance, DoesNotChangeUnderARotationOfBoth) {
  const at::Tensor q = std::get<0>(at::linalg_qr(doubles({2, 1, 0, -1, 3, 1, 0, 1, 1}).view({3, 3})));
  const auto rotated = [&](const at::Tensor& mean, const at::Tensor& variance) {
    return GaussianFit{q.matmul(mean), q.matmul(at::diag(variance)).matmul(q.t())};
  };
  EXPECT_NEAR(frechet_distance(rotated(doubles({0, 1, 2}), doubles({1, 4, 9})),
                               rotated(doubles({1, 1, 0}), doubles({4, 4, 1}))),
              10.0, 1e-10);
}

TEST(FrechetDistance, HasTheClosedFormOfTwoDimensionsForCovariancesThatDoNotCommute) {
  const at::Tensor a = doubles({2, 1, 1, 3}).view({2, 2}), b = doubles({1, -0.5, -0.5, 4}).view({2, 2});
  const at::Tensor product = a.matmul(b);
  // tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)) for a 2 x 2 matrix with positive eigenvalues
  const double cross = std::sqrt(
      product.trace().item<double>() +
      2 * std::sqrt((product[0][0] * product[1][1] - product[0][1] * product[1][0]).item<double>()));
  const double expected = 2 + 3 + 1 + 4 - 2 * cross;
  EXPECT_NEAR(frechet_distance({doubles({0, 0}), a}, {doubles({0, 0}), b}), expected, 1e-12);
  EXPECT_NEAR(frechet_distance({doubles({0, 0}), b}, {doubles({0, 0}), a}), expected, 1e-12);
}

TEST(FrechetDistance, IsZeroBetweenEqualSetsAlsoWithFewerRowsThanDimensions) {
  const at::Tensor rows = at::arange(12, at::kDouble).view({3, 4}).sin();
  EXPECT_NEAR(frechet_distance(fit_gaussian(rows), fit_gaussian(rows)), 0.0, 1e-7);
}

} // namespace
} // namespace scoreact
