#include "verification/identity_checks.hpp"

#include "diffusion/grid.hpp"
#include "kernels/normal_noise.hpp"
#include "models/analytic/analytic_denoiser.hpp"
#include "rl/chosen_rows.hpp"

#include <torch/torch.h>

#include <fmt/format.h>

#include <cmath>

namespace scoreact::verification {
namespace {

/// Draws of a mixture, keyed by the seed of verify: [count][d].
std::vector<Point> draws(const GaussianMixture& law, long count, std::uint64_t seed) {
  const long d = law.dimension();
  auto normal = torch::empty({count, d});
  kernels::normal_noise({}, {seed, 1, 0, kernels::Purpose::initial_state}, 0,
                        {normal.data_ptr<float>(), count, d});
  const auto values = normal.accessor<float, 2>();
  std::vector<Point> result;
  for (long i = 0; i < count; ++i) {
    double u = kernels::uniform_at({seed, 1, 1, kernels::Purpose::time}, 0, static_cast<std::uint32_t>(i));
    std::size_t c = 0;
    while (c + 1 < law.weights().size() && u >= law.weights()[c]) {
      u -= law.weights()[c++];
    }
    Point x = law.means()[c];
    for (long j = 0; j < d; ++j) {
      x[static_cast<std::size_t>(j)] += law.stds()[c] * static_cast<double>(values[i][j]);
    }
    result.push_back(std::move(x));
  }
  return result;
}

struct Problem {
  std::string name;
  AnalyticOptions model;
  QuadraticReward reward;
  double lambda;
};

std::vector<Problem> problems() {
  AnalyticOptions gaussian, mixture;
  gaussian.means = {{0.6, -0.4}};
  gaussian.stds = {0.8};
  mixture.weights = {0.3, 0.7};
  mixture.means = {{-1.2, 0.3}, {0.8, -0.5}};
  mixture.stds = {0.5, 0.7};
  const QuadraticReward linear{{0.8, -0.3}, 0, {}}, quadratic{{0.0, 0.0}, 0.9, {0.5, -1.0}};
  return {{"gaussian linear", gaussian, linear, 0.7},
          {"gaussian quadratic", gaussian, quadratic, 0.7},
          {"mixture linear", mixture, linear, 0.7},
          {"mixture quadratic", mixture, quadratic, 0.7}};
}

/// Score and x0hat of the model's tensors at one state; rounding of float32 is the tolerance.
void state_identities(const Problem& problem, CheckRows& rows) {
  torch::NoGradGuard no_grad;
  const auto model = make_analytic_denoiser(problem.model, {});
  const GaussianMixture law = make_mixture(problem.model);
  const Schedule& schedule = model->schedule();
  const Point state{0.3, -0.9};
  const auto x = torch::tensor({{0.3F, -0.9F}});
  for (const double tau : {0.9, 0.5, 0.1}) {
    const double alpha = schedule.alpha(tau), sigma = schedule.sigma(tau);
    const RowTimes times = row_times(schedule, {{tau, schedule.abar(tau)}}, 1, x);
    const auto s = score(*model, x, times, {}, 1.0);
    const auto x0hat = tweedie_mean(x, s, times);
    const Point exact_score = law.score(alpha, sigma, state), exact_mean = law.data_mean(alpha, sigma, state);
    for (long i = 0; i < 2; ++i) {
      const auto j = static_cast<std::size_t>(i);
      const std::string at = fmt::format("{}, tau {}, element {}", problem.name, tau, i);
      rows.push_back(
          {"score: " + at, s[0][i].item<double>(), exact_score[j], 0, 1 + std::abs(exact_score[j])});
      // float32 states, divided by alpha
      rows.push_back({"x0hat: " + at, x0hat[0][i].item<double>(), exact_mean[j], 0, 1 / alpha});
    }
  }
}

void value_identities(const Problem& problem, const VerifyOptions& options, CheckRows& rows) {
  const GaussianMixture law = make_mixture(problem.model);
  const Schedule schedule = make_analytic_schedule({});
  const long count = 40 * options.samples;
  const auto exponentials = [&](const std::vector<Point>& points) {
    std::vector<double> values;
    for (const Point& x : points) {
      values.push_back(std::exp(problem.reward(x) / problem.lambda));
    }
    return mean_and_error(values);
  };
  const Point state{0.3, -0.9};
  for (const double tau : {0.7, 0.3}) {
    const double alpha = schedule.alpha(tau), sigma = schedule.sigma(tau);
    const MeanError mean = exponentials(draws(law.posterior(alpha, sigma, state), count, options.seed));
    rows.push_back({fmt::format("V*: {}, tau {}", problem.name, tau), problem.lambda * std::log(mean.mean),
                    law.optimal_value(problem.reward, problem.lambda, alpha, sigma, state),
                    problem.lambda * mean.standard_error / mean.mean, 0});
  }
  const auto points = draws(law, count, options.seed + 1);
  const MeanError partition = exponentials(points);
  rows.push_back({"J*: " + problem.name, problem.lambda * std::log(partition.mean),
                  law.optimal_objective(problem.reward, problem.lambda),
                  problem.lambda * partition.standard_error / partition.mean, 0});
  // Mean reward and KL of the tilted law by draws from it.
  const GaussianMixture tilted = law.tilted(problem.reward, problem.lambda);
  std::vector<double> rewards, log_ratios;
  for (const Point& x : draws(tilted, count, options.seed + 2)) {
    rewards.push_back(problem.reward(x));
    log_ratios.push_back(tilted.log_density(x) - law.log_density(x));
  }
  const MeanError reward = mean_and_error(rewards), kl = mean_and_error(log_ratios);
  rows.push_back({"E RM, tilted: " + problem.name, reward.mean, tilted.mean_reward(problem.reward),
                  reward.standard_error, 0});
  rows.push_back({"KL, tilted: " + problem.name, kl.mean, law.optimal_kl(problem.reward, problem.lambda),
                  kl.standard_error, 0});
}

/// Random subsets of the steps and random nodes give unbiased sums and integrals.
void quadrature(const VerifyOptions& options, CheckRows& rows) {
  const Schedule schedule = make_analytic_schedule({});
  const auto f = [](double tau) { return std::exp(-3 * tau) + tau * tau; };
  GridOptions grid;
  grid.kind = "uniform";
  grid.num_steps = 50;
  const StepTable table = make_step_table(schedule, make_grid(schedule, grid), {});
  double sum = 0;
  for (const Step& step : table.steps) {
    sum += f(step.tau);
  }
  for (const long drawn : {1L, 5L, 10L, 50L}) {
    std::vector<double> estimates;
    for (std::uint32_t epoch = 0; epoch < 20; ++epoch) {
      const ChosenTimes times = choose_times(table.size(), drawn, 1.0, options.seed, epoch, {100, 1, 0, 100});
      const at::Tensor sums = (times.weight * step_numbers(table, times.step, [&](const Step& step) {
                                 return f(step.tau);
                               })).sum(0);
      estimates.insert(estimates.end(), sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel());
    }
    const MeanError mean = mean_and_error(estimates);
    rows.push_back(
        {fmt::format("quadrature: {} of 50 steps", drawn), mean.mean, sum, mean.standard_error, sum * 1e-6});
  }
  grid.kind = "stratified";
  grid.num_steps = 10;
  const double first = schedule.tau_of_index(0), width = (1 - first) / 10;
  std::vector<double> integrals;
  for (std::uint32_t epoch = 0; epoch < 2000; ++epoch) {
    grid.cell_uniforms.clear();
    for (std::uint32_t k = 0; k < 10; ++k) {
      grid.cell_uniforms.push_back(
          kernels::uniform_at({options.seed, epoch, 2, kernels::Purpose::time}, 0, k));
    }
    const Grid drawn = make_grid(schedule, grid);
    double integral = 0;
    for (std::size_t k = 0; k < 10; ++k) {
      integral += width * f(drawn.tau[k]);
    }
    integrals.push_back(integral);
  }
  const auto antiderivative = [](double tau) { return -std::exp(-3 * tau) / 3 + tau * tau * tau / 3; };
  const MeanError mean = mean_and_error(integrals);
  rows.push_back({"quadrature: stratified grid of 10 nodes", mean.mean,
                  antiderivative(1) - antiderivative(first), mean.standard_error, 0});
}

} // namespace

CheckRows identity_checks(const VerifyOptions& options) {
  CheckRows rows;
  for (const Problem& problem : problems()) {
    state_identities(problem, rows);
    value_identities(problem, options, rows);
  }
  quadrature(options, rows);
  return rows;
}

} // namespace scoreact::verification
