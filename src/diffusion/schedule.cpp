#include "diffusion/schedule.hpp"

#include "error/error.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace scoreact {

namespace {

void require_betas(long num_train_timesteps, double beta_start, double beta_end) {
  SCOREACT_REQUIRE(num_train_timesteps >= 2, ExitCode::data,
                   "schedule: num_train_timesteps must be at least 2, found {}", num_train_timesteps);
  SCOREACT_REQUIRE(beta_start > 0 && beta_start <= beta_end && beta_end < 1, ExitCode::data,
                   "schedule: expected 0 < beta_start <= beta_end < 1, found beta_start = {}, beta_end = {}",
                   beta_start, beta_end);
}

std::vector<double> cumulative_product(const std::vector<double>& betas) {
  std::vector<double> abar(betas.size());
  double product = 1;
  for (std::size_t i = 0; i < betas.size(); ++i) {
    product *= 1 - betas[i];
    abar[i] = product;
  }
  return abar;
}

double between(double start, double end, long i, long count) {
  return start + (end - start) * static_cast<double>(i) / static_cast<double>(count - 1);
}

} // namespace

Schedule::Schedule(std::vector<double> abar) : abar_(std::move(abar)) {
  double previous = 1;
  for (std::size_t i = 0; i < abar_.size(); ++i) {
    SCOREACT_REQUIRE(abar_[i] < previous && abar_[i] > 0, ExitCode::data,
                     "schedule: alphas_cumprod must decrease strictly from below 1 to above 0, found {} at "
                     "index {} after {}",
                     abar_[i], i, previous);
    previous = abar_[i];
  }
  log_abar_.reserve(abar_.size() + 1);
  log_abar_.push_back(0); // the clean end, tau = 0
  for (const double value : abar_)
    log_abar_.push_back(std::log(value));
}

Schedule Schedule::linear(long num_train_timesteps, double beta_start, double beta_end) {
  require_betas(num_train_timesteps, beta_start, beta_end);
  std::vector<double> betas(static_cast<std::size_t>(num_train_timesteps));
  for (long i = 0; i < num_train_timesteps; ++i) {
    betas[static_cast<std::size_t>(i)] = between(beta_start, beta_end, i, num_train_timesteps);
  }
  return Schedule(cumulative_product(betas));
}

Schedule Schedule::scaled_linear(long num_train_timesteps, double beta_start, double beta_end) {
  require_betas(num_train_timesteps, beta_start, beta_end);
  std::vector<double> betas(static_cast<std::size_t>(num_train_timesteps));
  for (long i = 0; i < num_train_timesteps; ++i) {
    const double root = between(std::sqrt(beta_start), std::sqrt(beta_end), i, num_train_timesteps);
    betas[static_cast<std::size_t>(i)] = root * root;
  }
  return Schedule(cumulative_product(betas));
}

Schedule Schedule::cosine(long num_train_timesteps) {
  SCOREACT_REQUIRE(num_train_timesteps >= 2, ExitCode::data,
                   "schedule: num_train_timesteps must be at least 2, found {}", num_train_timesteps);
  const auto abar_of = [](double t) {
    const double c = std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2);
    return c * c;
  };
  const double largest_beta = 0.999; // keeps the last abar above 0
  std::vector<double> betas(static_cast<std::size_t>(num_train_timesteps));
  for (long i = 0; i < num_train_timesteps; ++i) {
    const double n = static_cast<double>(num_train_timesteps);
    const double beta = 1 - abar_of(static_cast<double>(i + 1) / n) / abar_of(static_cast<double>(i) / n);
    betas[static_cast<std::size_t>(i)] = std::min(beta, largest_beta);
  }
  return Schedule(cumulative_product(betas));
}

Schedule Schedule::from_alphas_cumprod(std::vector<double> alphas_cumprod) {
  SCOREACT_REQUIRE(alphas_cumprod.size() >= 2, ExitCode::data,
                   "schedule: alphas_cumprod needs at least 2 values, found {}", alphas_cumprod.size());
  return Schedule(std::move(alphas_cumprod));
}

double Schedule::abar_at_index(long i) const {
  SCOREACT_REQUIRE(i >= 0 && i < size(), ExitCode::data, "schedule: index {} is outside 0..{}", i,
                   size() - 1);
  return abar_[static_cast<std::size_t>(i)];
}

double Schedule::log_abar(double tau) const {
  SCOREACT_REQUIRE(tau >= 0 && tau <= 1, ExitCode::data, "schedule: noise time must lie in [0, 1], found {}",
                   tau);
  const double position = tau * static_cast<double>(size());
  const long left = std::min(static_cast<long>(position), size() - 1);
  const double fraction = position - static_cast<double>(left);
  const auto j = static_cast<std::size_t>(left);
  return log_abar_[j] + fraction * (log_abar_[j + 1] - log_abar_[j]);
}

double Schedule::abar(double tau) const { return std::exp(log_abar(tau)); }
double Schedule::alpha(double tau) const { return std::exp(0.5 * log_abar(tau)); }
double Schedule::sigma(double tau) const { return std::sqrt(-std::expm1(log_abar(tau))); }

double Schedule::g_squared(double tau) const {
  SCOREACT_REQUIRE(tau >= 0 && tau <= 1, ExitCode::data, "schedule: noise time must lie in [0, 1], found {}",
                   tau);
  // A node's own interval lies at its left; the tolerance keeps tau_of_index(i) on node i in spite of
  // rounding.
  const double position = tau * static_cast<double>(size());
  const long left = std::clamp(static_cast<long>(std::ceil(position - 1e-9)) - 1, 0L, size() - 1);
  const auto j = static_cast<std::size_t>(left);
  return static_cast<double>(size()) * (log_abar_[j] - log_abar_[j + 1]);
}

double Schedule::log_snr(double tau) const {
  const double log_alpha_squared = log_abar(tau);
  return 0.5 * (log_alpha_squared - std::log(-std::expm1(log_alpha_squared)));
}

double Schedule::tau_of_log_abar(double log_abar) const {
  SCOREACT_REQUIRE(log_abar <= 0 && log_abar >= log_abar_.back(), ExitCode::data,
                   "schedule: log abar = {} is outside [{}, 0]", log_abar, log_abar_.back());
  // First node with no less noise than asked for; log_abar_ decreases.
  const auto node = std::lower_bound(log_abar_.begin() + 1, log_abar_.end(), log_abar, std::greater<>());
  const auto right = static_cast<std::size_t>(node - log_abar_.begin());
  const double fraction = (log_abar - log_abar_[right - 1]) / (log_abar_[right] - log_abar_[right - 1]);
  return (static_cast<double>(right - 1) + fraction) / static_cast<double>(size());
}

double Schedule::tau_of_log_snr(double lambda) const {
  // abar = 1 / (1 + exp(-2 lambda)), written so that neither end overflows.
  const double log_abar =
      lambda > 0 ? -std::log1p(std::exp(-2 * lambda)) : 2 * lambda - std::log1p(std::exp(2 * lambda));
  return tau_of_log_abar(log_abar);
}

} // namespace scoreact
