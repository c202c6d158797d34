// Order of every solver on Gaussian data N(m, s^2), where the score is affine and mean and variance of the
// sampler's state follow an exact recursion: no Monte Carlo error. Closed form of the backward process:
// docs/mathematics.md section 6, G1.
#include "diffusion/step.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <ostream>
#include <string>
#include <vector>

namespace scoreact {
namespace {

constexpr double data_mean = 0.7, data_deviation = 0.5;

double marginal_variance(double abar) { return abar * data_deviation * data_deviation + 1 - abar; }
double marginal_mean(double abar) { return std::sqrt(abar) * data_mean; }

struct Affine {
  double slope = 0, offset = 0;
};
Affine score(double abar) {
  const double v = marginal_variance(abar);
  return {-1 / v, marginal_mean(abar) / v};
}

struct Moments {
  double mean = 0, variance = 0;
};

/// Exact mean and variance of the final state from N(start.mean, start.variance): the state and the previous
/// x0hat are jointly Gaussian and every step is affine in them.
Moments propagate(const StepTable& table, Moments start) {
  double mean = start.mean, variance = start.variance, mean_x0 = 0, variance_x0 = 0, covariance = 0;
  for (const Step& step : table.steps) {
    const Affine s = score(step.abar);
    double on_state = step.keep + step.push * s.slope, offset = step.push * s.offset, on_noise = step.spread;
    if (step.push_second != 0) {
      const Affine second = score(step.abar_next);
      on_state += step.push_second * second.slope * (step.predict_keep + step.predict_push * s.slope);
      offset += step.push_second * (second.slope * step.predict_push * s.offset + second.offset);
      on_noise += step.push_second * second.slope * step.predict_spread;
    }
    // x0hat = (x + sigma^2 s) / alpha, kept for the next step
    const double sigma_squared = 1 - step.abar, alpha = std::sqrt(step.abar);
    const double x0_slope = (1 + sigma_squared * s.slope) / alpha,
                 x0_offset = sigma_squared * s.offset / alpha;
    const double next_mean = on_state * mean + step.carry * mean_x0 + offset;
    const double next_variance = on_state * on_state * variance + 2 * on_state * step.carry * covariance +
                                 step.carry * step.carry * variance_x0 + on_noise * on_noise;
    const double next_covariance = x0_slope * (on_state * variance + step.carry * covariance);
    mean_x0 = x0_slope * mean + x0_offset;
    variance_x0 = x0_slope * x0_slope * variance;
    mean = next_mean;
    variance = next_variance;
    covariance = next_covariance;
  }
  return {mean, variance};
}

/// The backward process itself: deviations from the marginal shrink by exp(-chi^2 G / 2) (v'/v)^((1 +
/// chi^2)/2).
Moments exact(double abar_start, double abar_end, double chi, Moments start) {
  const double ratio =
      std::exp(-0.5 * chi * chi * std::log(abar_end / abar_start)) *
      std::pow(marginal_variance(abar_end) / marginal_variance(abar_start), 0.5 * (1 + chi * chi));
  return {marginal_mean(abar_end) + ratio * (start.mean - marginal_mean(abar_start)),
          marginal_variance(abar_end) + ratio * ratio * (start.variance - marginal_variance(abar_start))};
}

struct Case {
  std::string solver;
  double eta;
  double order; ///< docs/solvers.md states the same numbers
};
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name
void PrintTo(const Case& c, std::ostream* out) { *out << c.solver << " with eta " << c.eta; }

class SolverOrder : public testing::TestWithParam<Case> {};

double fitted_slope(const std::vector<double>& counts, const std::vector<double>& errors) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double lx = std::log(counts[i]), ly = std::log(errors[i]);
    x += lx, y += ly, xx += lx * lx, xy += lx * ly;
  }
  return -(n * xy - x * y) / (n * xx - x * x);
}

TEST_P(SolverOrder, OnGaussianDataIsTheStatedOne) {
  const Case& expected = GetParam();
  const Schedule schedule = Schedule::scaled_linear(1000, 0.00085, 0.012);
  const Moments start{0.4, 1}; // off the marginal, so that the decay of the start is measured too
  std::vector<double> counts, errors;
  for (long n = 8; n <= 256; n *= 2) {
    GridOptions grid_options;
    grid_options.kind = "log_snr";
    grid_options.num_steps = n;
    const Grid grid = make_grid(schedule, grid_options);
    const StepTable table = make_step_table(schedule, grid, {expected.solver, expected.eta, false});
    const Moments target = exact(grid.abar.front(), grid.abar.back(), table.steps.front().chi, start);
    const Moments found = propagate(table, start);
    const double mean_error = std::abs(found.mean - target.mean);
    const double variance_error = std::abs(found.variance - target.variance);
    std::printf("  %-15s eta %.1f n %4ld error of mean %.3e of variance %.3e\n", expected.solver.c_str(),
                expected.eta, n, mean_error, variance_error);
    counts.push_back(static_cast<double>(n));
    errors.push_back(mean_error + variance_error);
  }
  // From 32 steps on: below, the terms of higher order still show.
  const double order = fitted_slope({counts.begin() + 2, counts.end()}, {errors.begin() + 2, errors.end()});
  std::printf("  %-15s eta %.1f order %.2f\n", expected.solver.c_str(), expected.eta, order);
  EXPECT_NEAR(order, expected.order, 0.25);
  EXPECT_LT(errors.back(), 0.02);
}

INSTANTIATE_TEST_SUITE_P(All, SolverOrder,
                         testing::Values(Case{"ddim", 0, 1}, Case{"ddim", 0.5, 1}, Case{"ddim", 1, 1},
                                         Case{"ddpm", 1, 1}, Case{"euler_maruyama", 0, 1},
                                         Case{"euler_maruyama", 0.5, 1}, Case{"euler_maruyama", 1, 1},
                                         Case{"heun_sde", 0, 2}, Case{"heun_sde", 0.5, 2},
                                         Case{"heun_sde", 1, 2}, Case{"dpmpp_2m", 0, 2},
                                         Case{"dpmpp_2m_sde", 1, 2}));

// The posterior mean is linear in x0hat = E[x0 | x], so one ancestral step has the exact conditional mean at
// any size.
TEST(AncestralSampling, HasTheExactMeanAtEveryNumberOfSteps) {
  const Schedule schedule = Schedule::scaled_linear(1000, 0.00085, 0.012);
  for (const long n : {2L, 7L, 50L}) {
    for (const bool end_at_data : {false, true}) {
      GridOptions options;
      options.num_steps = n;
      options.end_at_data = end_at_data;
      const Grid grid = make_grid(schedule, options);
      const StepTable table = make_step_table(schedule, grid, {"ddpm", 1, true});
      const Moments start{0.4, 1};
      EXPECT_NEAR(propagate(table, start).mean, exact(grid.abar.front(), grid.abar.back(), 1, start).mean,
                  1e-12);
    }
  }
}

// Every solver may end at abar = 1, where the log-SNR is infinite and there is no score: finite, and close to
// the data.
TEST(EverySolver, ReachesTheDataWhenTheGridEndsThere) {
  const Schedule schedule = Schedule::scaled_linear(1000, 0.00085, 0.012);
  GridOptions options;
  options.kind = "log_snr";
  options.num_steps = 200;
  options.end_at_data = true;
  const Grid grid = make_grid(schedule, options);
  for (const std::string& solver : solver_names()) {
    const StepTable table = make_step_table(schedule, grid, {solver, 1, true});
    const double chi = table.steps.front().chi;
    const Moments start{0.4, 1}, target = exact(grid.abar.front(), 1, chi, start),
                                 found = propagate(table, start);
    EXPECT_NEAR(found.mean, target.mean, 0.01) << solver;
    EXPECT_NEAR(found.variance, target.variance, 0.02) << solver;
  }
}

} // namespace
} // namespace scoreact
