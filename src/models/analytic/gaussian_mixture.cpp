#include "models/analytic/gaussian_mixture.hpp"

#include "error/error.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace scoreact {
namespace {

double squared_distance(const Point& a, const Point& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return sum;
}

double log_sum_exp(const std::vector<double>& terms) {
  const double largest = *std::max_element(terms.begin(), terms.end());
  double sum = 0;
  for (const double term : terms) {
    sum += std::exp(term - largest);
  }
  return largest + std::log(sum);
}

std::vector<double> normalised_exp(std::vector<double> terms) {
  const double total = log_sum_exp(terms);
  for (double& term : terms) {
    term = std::exp(term - total);
  }
  return terms;
}

Point center_of(const QuadraticReward& reward, std::size_t dimension) {
  return reward.center.empty() ? Point(dimension, 0.0) : reward.center;
}

double linear_term(const QuadraticReward& reward, std::size_t i) {
  return reward.linear.empty() ? 0.0 : reward.linear[i];
}

} // namespace

double QuadraticReward::operator()(const Point& x) const {
  double value = strength == 0 ? 0 : -0.5 * strength * squared_distance(x, center_of(*this, x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    value += linear_term(*this, i) * x[i];
  }
  return value;
}

Point QuadraticReward::gradient(const Point& x) const {
  const Point e = center_of(*this, x.size());
  Point result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    result[i] = linear_term(*this, i) - strength * (x[i] - e[i]);
  }
  return result;
}

GaussianMixture::GaussianMixture(std::vector<double> weights, std::vector<Point> means,
                                 std::vector<double> stds)
    : weights_(std::move(weights)), means_(std::move(means)), stds_(std::move(stds)) {
  SCOREACT_REQUIRE(!means_.empty() && !means_.front().empty(), ExitCode::data,
                   "a Gaussian mixture needs at least one mean of at least one dimension");
  SCOREACT_REQUIRE(
      weights_.size() == means_.size() && stds_.size() == means_.size(), ExitCode::data,
      "a Gaussian mixture needs as many weights and stds as means: found {} weights, {} means, {} stds",
      weights_.size(), means_.size(), stds_.size());
  for (std::size_t i = 0; i < means_.size(); ++i) {
    SCOREACT_REQUIRE(means_[i].size() == means_.front().size(), ExitCode::data,
                     "the means of a Gaussian mixture must have one dimension: mean 0 has {}, mean {} has {}",
                     means_.front().size(), i, means_[i].size());
    SCOREACT_REQUIRE(
        std::isfinite(weights_[i]) && weights_[i] > 0 && std::isfinite(stds_[i]) && stds_[i] > 0,
        ExitCode::data,
        "weights and stds of a Gaussian mixture must be positive: component {} has weight {}, std {}", i,
        weights_[i], stds_[i]);
  }
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  for (double& weight : weights_) {
    weight /= total;
  }
}

GaussianMixture GaussianMixture::gaussian(Point mean, double std) {
  return GaussianMixture({1.0}, {std::move(mean)}, {std});
}

Point GaussianMixture::mean() const {
  Point result(means_.front().size(), 0.0);
  for (std::size_t c = 0; c < means_.size(); ++c) {
    for (std::size_t i = 0; i < result.size(); ++i) {
      result[i] += weights_[c] * means_[c][i];
    }
  }
  return result;
}

std::vector<Point> GaussianMixture::covariance() const {
  const Point m = mean();
  std::vector<Point> result(m.size(), Point(m.size(), 0.0));
  for (std::size_t c = 0; c < means_.size(); ++c) {
    for (std::size_t i = 0; i < m.size(); ++i) {
      result[i][i] += weights_[c] * stds_[c] * stds_[c];
      for (std::size_t j = 0; j < m.size(); ++j) {
        result[i][j] += weights_[c] * (means_[c][i] - m[i]) * (means_[c][j] - m[j]);
      }
    }
  }
  return result;
}

double GaussianMixture::mean_variance() const {
  const auto cov = covariance();
  double trace = 0;
  for (std::size_t i = 0; i < cov.size(); ++i) {
    trace += cov[i][i];
  }
  return trace / static_cast<double>(cov.size());
}

double GaussianMixture::mean_reward(const QuadraticReward& reward) const {
  double result = 0;
  for (std::size_t c = 0; c < means_.size(); ++c) {
    result += weights_[c] * (reward(means_[c]) -
                             0.5 * reward.strength * static_cast<double>(dimension()) * stds_[c] * stds_[c]);
  }
  return result;
}

GaussianMixture GaussianMixture::noised(double alpha, double sigma) const {
  GaussianMixture result = *this;
  for (std::size_t c = 0; c < means_.size(); ++c) {
    for (double& m : result.means_[c]) {
      m *= alpha;
    }
    result.stds_[c] = std::sqrt(alpha * alpha * stds_[c] * stds_[c] + sigma * sigma);
  }
  return result;
}

std::vector<double> GaussianMixture::log_joint(const Point& x) const {
  std::vector<double> result(means_.size());
  for (std::size_t c = 0; c < means_.size(); ++c) {
    const double variance = stds_[c] * stds_[c];
    result[c] = std::log(weights_[c]) - squared_distance(x, means_[c]) / (2 * variance) -
                0.5 * static_cast<double>(dimension()) * std::log(2 * std::numbers::pi * variance);
  }
  return result;
}

std::vector<double> GaussianMixture::responsibilities(const Point& x) const {
  return normalised_exp(log_joint(x));
}

double GaussianMixture::log_density(const Point& x) const { return log_sum_exp(log_joint(x)); }

Point GaussianMixture::log_density_gradient(const Point& x) const {
  const auto share = responsibilities(x);
  Point result(x.size(), 0.0);
  for (std::size_t c = 0; c < means_.size(); ++c) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      result[i] += share[c] * (means_[c][i] - x[i]) / (stds_[c] * stds_[c]);
    }
  }
  return result;
}

Point GaussianMixture::score(double alpha, double sigma, const Point& x) const {
  return noised(alpha, sigma).log_density_gradient(x);
}

GaussianMixture GaussianMixture::posterior(double alpha, double sigma, const Point& x) const {
  GaussianMixture result = *this;
  result.weights_ = noised(alpha, sigma).responsibilities(x);
  for (std::size_t c = 0; c < means_.size(); ++c) {
    const double s2 = stds_[c] * stds_[c];
    const double v = alpha * alpha * s2 + sigma * sigma;
    for (std::size_t i = 0; i < x.size(); ++i) {
      result.means_[c][i] = means_[c][i] + alpha * s2 / v * (x[i] - alpha * means_[c][i]);
    }
    result.stds_[c] = std::sqrt(s2 / v) * sigma;
  }
  return result;
}

Point GaussianMixture::data_mean(double alpha, double sigma, const Point& x) const {
  return posterior(alpha, sigma, x).mean();
}

std::vector<double> GaussianMixture::log_tilts(const QuadraticReward& reward, double lambda) const {
  const Point e = center_of(reward, means_.front().size());
  const double kappa = reward.strength / lambda;
  std::vector<double> result(means_.size());
  for (std::size_t c = 0; c < means_.size(); ++c) {
    // With y = x - m: RM(x) = RM(m) + grad RM(m) . y - k/2 |y|^2, and y ~ N(0, s^2 I).
    const Point slope = reward.gradient(means_[c]);
    const double s2 = stds_[c] * stds_[c];
    const double narrowed = s2 / (1 + kappa * s2);
    result[c] = reward(means_[c]) / lambda - 0.5 * static_cast<double>(dimension()) * std::log1p(kappa * s2) +
                0.5 * narrowed * squared_distance(slope, Point(slope.size(), 0.0)) / (lambda * lambda);
  }
  return result;
}

GaussianMixture GaussianMixture::tilted(const QuadraticReward& reward, double lambda) const {
  SCOREACT_REQUIRE(lambda > 0, ExitCode::data, "the tilted law needs a positive kl_weight, found {}", lambda);
  const auto tilts = log_tilts(reward, lambda);
  std::vector<double> log_weights(tilts.size());
  GaussianMixture result = *this;
  for (std::size_t c = 0; c < means_.size(); ++c) {
    log_weights[c] = std::log(weights_[c]) + tilts[c];
    const double s2 = stds_[c] * stds_[c];
    const double narrowed = s2 / (1 + reward.strength / lambda * s2);
    const Point slope = reward.gradient(means_[c]);
    for (std::size_t i = 0; i < slope.size(); ++i) {
      result.means_[c][i] += narrowed * slope[i] / lambda;
    }
    result.stds_[c] = std::sqrt(narrowed);
  }
  result.weights_ = normalised_exp(log_weights);
  return result;
}

double GaussianMixture::log_partition(const QuadraticReward& reward, double lambda) const {
  auto terms = log_tilts(reward, lambda);
  for (std::size_t c = 0; c < terms.size(); ++c) {
    terms[c] += std::log(weights_[c]);
  }
  return log_sum_exp(terms);
}

double GaussianMixture::optimal_objective(const QuadraticReward& reward, double lambda) const {
  return lambda * log_partition(reward, lambda);
}

double GaussianMixture::optimal_kl(const QuadraticReward& reward, double lambda) const {
  return (tilted(reward, lambda).mean_reward(reward) - optimal_objective(reward, lambda)) / lambda;
}

double GaussianMixture::optimal_value(const QuadraticReward& reward, double lambda, double alpha,
                                      double sigma, const Point& x) const {
  return posterior(alpha, sigma, x).optimal_objective(reward, lambda);
}

Point GaussianMixture::optimal_value_gradient(const QuadraticReward& reward, double lambda, double alpha,
                                              double sigma, const Point& x) const {
  // exp(V*/lambda) = Z p*_tau(x) / p_tau(x): the optimal score is the score of the tilted law, noised.
  const Point optimal = tilted(reward, lambda).score(alpha, sigma, x);
  const Point pretrained = score(alpha, sigma, x);
  Point result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    result[i] = lambda * (optimal[i] - pretrained[i]);
  }
  return result;
}

} // namespace scoreact
