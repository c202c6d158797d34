// Closed forms of docs/mathematics.md section 6, held against each other, finite differences and Monte Carlo.
#include "models/analytic/gaussian_mixture.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace scoreact {
namespace {

GaussianMixture two_dimensional() {
  return GaussianMixture({0.3, 0.5, 0.2}, {{-1.5, 0.4}, {0.8, -0.7}, {1.0, 2.0}}, {0.5, 0.8, 0.3});
}

Point draw(const GaussianMixture& law, std::mt19937_64& engine) {
  std::discrete_distribution<std::size_t> which(law.weights().begin(), law.weights().end());
  std::normal_distribution<double> normal;
  const std::size_t c = which(engine);
  Point x = law.means()[c];
  for (double& value : x) {
    value += law.stds()[c] * normal(engine);
  }
  return x;
}

const QuadraticReward kLinear{{0.7, -0.4}, 0.0, {}};
const QuadraticReward kQuadratic{{0.3, 0.2}, 0.9, {0.5, -1.0}};
const Point kState{0.3, -0.6};

TEST(GaussianMixture, ScoreIsTheGradientOfTheNoisedLogDensity) {
  const auto law = two_dimensional();
  const double alpha = 0.8, sigma = 0.6, h = 1e-5;
  const auto noised = law.noised(alpha, sigma);
  const Point score = law.score(alpha, sigma, kState);
  for (std::size_t i = 0; i < 2; ++i) {
    Point up = kState, down = kState;
    up[i] += h;
    down[i] -= h;
    EXPECT_NEAR(score[i], (noised.log_density(up) - noised.log_density(down)) / (2 * h), 1e-8);
  }
}

TEST(GaussianMixture, TweedieMeanIsThePosteriorMean) {
  const auto law = two_dimensional();
  const double alpha = 0.8, sigma = 0.6;
  const Point score = law.score(alpha, sigma, kState), mean = law.data_mean(alpha, sigma, kState);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(mean[i], (kState[i] + sigma * sigma * score[i]) / alpha, 1e-13);
  }
}

TEST(GaussianMixture, OneGaussianGivesTheFormulasOfG1AndG2) {
  const double s = 0.7, lambda = 0.4, alpha = 0.5, sigma = std::sqrt(0.75), m = 1.3, u = 0.9, x = -0.2;
  const auto law = GaussianMixture::gaussian({m}, s);
  const QuadraticReward reward{{u}, 0, {}};
  const double v = alpha * alpha * s * s + sigma * sigma;
  EXPECT_NEAR(law.score(alpha, sigma, {x})[0], -(x - alpha * m) / v, 1e-14);
  const double posterior_mean = m + alpha * s * s / v * (x - alpha * m);
  EXPECT_NEAR(law.optimal_value(reward, lambda, alpha, sigma, {x}),
              u * posterior_mean + u * u * s * s * sigma * sigma / (2 * lambda * v), 1e-13);
  EXPECT_NEAR(law.optimal_value_gradient(reward, lambda, alpha, sigma, {x})[0], alpha * s * s / v * u, 1e-13);
  const auto tilted = law.tilted(reward, lambda);
  EXPECT_NEAR(tilted.means()[0][0], m + s * s * u / lambda, 1e-14);
  EXPECT_NEAR(tilted.stds()[0], s, 1e-14);
  EXPECT_NEAR(law.optimal_kl(reward, lambda), s * s * u * u / (2 * lambda * lambda), 1e-13);
  EXPECT_NEAR(tilted.mean_reward(reward) - law.mean_reward(reward), s * s * u * u / lambda, 1e-13);
}

TEST(GaussianMixture, QuadraticRewardGivesThePrecisionOfG3) {
  const double s = 0.7, lambda = 0.4, k = 1.7;
  const auto tilted = GaussianMixture::gaussian({1.3, 0.0}, s).tilted({{}, k, {0.2, -0.5}}, lambda);
  EXPECT_NEAR(1 / (tilted.stds()[0] * tilted.stds()[0]), 1 / (s * s) + k / lambda, 1e-12);
  EXPECT_NEAR(tilted.means()[0][0], (1.3 / (s * s) + 0.2 * k / lambda) / (1 / (s * s) + k / lambda), 1e-13);
}

TEST(GaussianMixture, TiltedDensityIsTheDataDensityTimesTheExponentialReward) {
  const auto law = two_dimensional();
  for (const auto& reward : {kLinear, kQuadratic}) {
    const double lambda = 0.6;
    const auto tilted = law.tilted(reward, lambda);
    for (const Point& x : {kState, Point{1.0, 1.5}, Point{-2.0, 0.0}}) {
      EXPECT_NEAR(tilted.log_density(x),
                  law.log_density(x) + reward(x) / lambda - law.log_partition(reward, lambda), 1e-12);
    }
  }
}

TEST(GaussianMixture, OptimalValueHasTheGradientOfTheScoreDifference) {
  const auto law = two_dimensional();
  const double lambda = 0.6, alpha = 0.6, sigma = 0.8, h = 1e-5;
  const Point gradient = law.optimal_value_gradient(kQuadratic, lambda, alpha, sigma, kState);
  for (std::size_t i = 0; i < 2; ++i) {
    Point up = kState, down = kState;
    up[i] += h;
    down[i] -= h;
    EXPECT_NEAR(gradient[i],
                (law.optimal_value(kQuadratic, lambda, alpha, sigma, up) -
                 law.optimal_value(kQuadratic, lambda, alpha, sigma, down)) /
                    (2 * h),
                1e-8);
  }
}

TEST(GaussianMixture, OptimalValueIsTheLogMeanExponentialOfPosteriorDraws) {
  const auto law = two_dimensional();
  const double lambda = 0.8, alpha = 0.6, sigma = 0.8;
  const auto posterior = law.posterior(alpha, sigma, kState);
  std::mt19937_64 engine(7);
  const int draws = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < draws; ++i) {
    const double value = std::exp(kQuadratic(draw(posterior, engine)) / lambda);
    sum += value;
    squares += value * value;
  }
  const double mean = sum / draws, stderr_mean = std::sqrt((squares / draws - mean * mean) / draws);
  EXPECT_NEAR(law.optimal_value(kQuadratic, lambda, alpha, sigma, kState), lambda * std::log(mean),
              4 * lambda * stderr_mean / mean);
}

TEST(GaussianMixture, MomentsMatchDraws) {
  const auto law = two_dimensional();
  std::mt19937_64 engine(11);
  const int draws = 200000;
  Point sum(2, 0.0), squares(2, 0.0);
  double reward = 0;
  for (int i = 0; i < draws; ++i) {
    const Point x = draw(law, engine);
    for (std::size_t j = 0; j < 2; ++j) {
      sum[j] += x[j];
      squares[j] += x[j] * x[j];
    }
    reward += kQuadratic(x);
  }
  for (std::size_t j = 0; j < 2; ++j) {
    const double mean = sum[j] / draws;
    EXPECT_NEAR(mean, law.mean()[j], 0.012);
    EXPECT_NEAR(squares[j] / draws - mean * mean, law.covariance()[j][j], 0.02);
  }
  EXPECT_NEAR(reward / draws, law.mean_reward(kQuadratic), 0.02);
}

TEST(GaussianMixture, RefusesPartsThatDoNotFitTogether) {
  EXPECT_THROW(GaussianMixture({1.0}, {{0.0}, {1.0}}, {1.0}), Error);
  EXPECT_THROW(GaussianMixture({1.0, 1.0}, {{0.0}, {1.0, 2.0}}, {1.0, 1.0}), Error);
  EXPECT_THROW(GaussianMixture({1.0}, {{0.0}}, {0.0}), Error);
  EXPECT_THROW(two_dimensional().tilted(kLinear, 0.0), Error);
}

} // namespace
} // namespace scoreact
