#pragma once
/// A mixture of isotropic Gaussians as data law, and everything about its diffusion that has a closed form:
/// noised density, score, Tweedie mean, posterior of the data, the law tilted by a linear or quadratic
/// reward, and the optimal value function of the fine-tuning problem (docs/mathematics.md section 6, G1-G5).
/// Plain float64, no tensors: the code is held against this, so it shares nothing with it.
#include <vector>

namespace scoreact {

using Point = std::vector<double>;

/// RM(x) = linear . x - strength/2 |x - center|^2, the reward for which the optimum is known. Units: reward.
struct QuadraticReward {
  Point linear;          ///< [d]
  double strength = 0.0; ///< k >= 0
  Point center;          ///< [d], empty = the origin
  double operator()(const Point& x) const;
  Point gradient(const Point& x) const;
};

class GaussianMixture {
 public:
  /// @param weights [M] positive, normalised here;  means [M][d];  stds [M] positive. Throws Error{data}
  /// otherwise.
  GaussianMixture(std::vector<double> weights, std::vector<Point> means, std::vector<double> stds);
  /// One Gaussian N(mean, std^2 I): the data law of G1.
  static GaussianMixture gaussian(Point mean, double std);

  long components() const { return static_cast<long>(weights_.size()); }
  long dimension() const { return static_cast<long>(means_.front().size()); }
  const std::vector<double>& weights() const { return weights_; }
  const std::vector<Point>& means() const { return means_; }
  const std::vector<double>& stds() const { return stds_; }

  Point mean() const;                               ///< [d]
  std::vector<Point> covariance() const;            ///< [d][d]
  double mean_variance() const;                     ///< trace of the covariance over d
  double mean_reward(const QuadraticReward&) const; ///< E RM, units of reward

  /// The law of alpha X + sigma eps: again a mixture (G5). noised(1, 0) is the data law.
  GaussianMixture noised(double alpha, double sigma) const;
  double log_density(const Point& x) const; ///< nats
  Point log_density_gradient(const Point& x) const;

  /// Score of the noised law, s = grad log p_tau(x) (G1, G5).
  Point score(double alpha, double sigma, const Point& x) const;
  /// The law of X_data given X_tau = x: a mixture again (G1).
  GaussianMixture posterior(double alpha, double sigma, const Point& x) const;
  /// E[X_data | X_tau = x] by the posterior (not by Tweedie's formula, which tests hold against it).
  Point data_mean(double alpha, double sigma, const Point& x) const;

  /// The law proportional to p(x) exp(RM(x) / lambda) (G2, G3, G5).
  GaussianMixture tilted(const QuadraticReward&, double lambda) const;
  /// log E exp(RM(X) / lambda), nats.
  double log_partition(const QuadraticReward&, double lambda) const;
  /// J* = lambda log E exp(RM / lambda): the best E RM - lambda KL (docs/mathematics.md section 4).
  double optimal_objective(const QuadraticReward&, double lambda) const;
  /// KL(tilted || this) = (E_tilted RM - J*) / lambda, nats.
  double optimal_kl(const QuadraticReward&, double lambda) const;
  /// V*(tau, x) = lambda log E[ exp(RM(X_data)/lambda) | X_tau = x ], and its gradient in x.
  double optimal_value(const QuadraticReward&, double lambda, double alpha, double sigma,
                       const Point& x) const;
  Point optimal_value_gradient(const QuadraticReward&, double lambda, double alpha, double sigma,
                               const Point& x) const;

 private:
  std::vector<double> log_joint(const Point& x) const; ///< [M], log weight_i N(x | m_i, s_i^2)
  std::vector<double> responsibilities(const Point& x) const;
  std::vector<double> log_tilts(const QuadraticReward&,
                                double lambda) const; ///< [M], log E_i exp(RM / lambda)
  std::vector<double> weights_;
  std::vector<Point> means_;
  std::vector<double> stds_;
};

} // namespace scoreact
