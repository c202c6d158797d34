#pragma once
/// A noise schedule: abar at the training times and its continuous extension (docs/mathematics.md section 1).
/// tau_i = (i + 1) / N, log abar piecewise linear through them and 0 at tau = 0, so that
/// int_{p}^{t} g^2 dtau = log(abar_p / abar_t) holds exactly. Everything here is float64.
#include <string>
#include <vector>

namespace scoreact {

class Schedule {
 public:
  /// diffusers' "linear": beta_i = linspace(beta_start, beta_end, N).
  static Schedule linear(long num_train_timesteps, double beta_start, double beta_end);
  /// diffusers' "scaled_linear": beta_i = linspace(sqrt(beta_start), sqrt(beta_end), N)^2.
  static Schedule scaled_linear(long num_train_timesteps, double beta_start, double beta_end);
  /// diffusers' "squaredcos_cap_v2" (Nichol and Dhariwal 2021).
  static Schedule cosine(long num_train_timesteps);
  /// Any increasing-noise table of abar_i, i = 0..N-1. Throws Error{data} unless 1 > abar_0 > ... >
  /// abar_{N-1} > 0.
  static Schedule from_alphas_cumprod(std::vector<double> alphas_cumprod);

  long size() const { return static_cast<long>(abar_.size()); } ///< N
  double abar_at_index(long i) const;                           ///< abar_i
  double abar(double tau) const;                                ///< continuous extension, tau in [0, 1]
  double log_abar(double tau) const;
  double alpha(double tau) const;     ///< sqrt(abar)
  double sigma(double tau) const;     ///< sqrt(1 - abar)
  double g_squared(double tau) const; ///< g^2 = -d log abar / d tau (left derivative at the nodes)
  double log_snr(double tau) const;   ///< lambda = log(alpha / sigma)
  double tau_of_index(double i) const { return (i + 1.0) / static_cast<double>(size()); }
  double timestep_of(double tau) const {
    return static_cast<double>(size()) * tau - 1.0;
  }                                              ///< what networks are fed
  double tau_of_log_abar(double log_abar) const; ///< inverse of log_abar
  double tau_of_log_snr(double lambda) const;    ///< inverse of log_snr
  const std::vector<double>& alphas_cumprod() const { return abar_; }

 private:
  explicit Schedule(std::vector<double> abar);
  std::vector<double> abar_, log_abar_;
};

} // namespace scoreact
