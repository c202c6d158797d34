#include "rl/advantage.hpp"

#include "error/error.hpp"
#include "unit/rl/gaussian_problem.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace scoreact {
namespace {

using namespace testing_support;

at::Tensor advantage_of(GaussianProblem& problem, ValueFunction& value, const std::string& how,
                        const std::string& baseline, double fd_scale, double kl_weight) {
  AlgorithmOptions options;
  options.advantage = how;
  options.baseline = baseline;
  options.fd_scale = fd_scale;
  options.kl_weight = kl_weight;
  attach_advantage(problem.batch, problem.policy, value, options, problem.samples);
  return problem.batch.advantage.clone();
}

double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  return ((found - expected).norm() / expected.norm()).item<double>();
}

TEST(AdvantageRate, ByFiniteDifferencesConvergesToTheGradient) {
  for (const char* action : {"transition", "score"}) {
    GaussianProblem problem(16, "ddim", 6, action);
    ValueFunction value = problem.value_function({});
    scatter_weights(value);
    for (const char* baseline : {"none", "centred"}) {
      const at::Tensor exact = advantage_of(problem, value, "gradient", baseline, 0, 0.3);
      const auto error = [&](double h) {
        return relative_error(advantage_of(problem, value, "finite_difference", baseline, h, 0.3), exact);
      };
      const double coarse = error(2e-2), fine = error(2e-3);
      EXPECT_LT(fine, 0.2 * coarse) << action << " " << baseline; // first order: a factor of 10
      EXPECT_LT(fine, 0.02) << action << " " << baseline;
    }
    const at::Tensor exact = advantage_of(problem, value, "gradient", "centred", 0, 0.3);
    const double central =
        relative_error(advantage_of(problem, value, "finite_difference", "antithetic", 2e-2, 0.3), exact);
    const double forward =
        relative_error(advantage_of(problem, value, "finite_difference", "centred", 2e-2, 0.3), exact);
    EXPECT_LT(central, 0.3 * forward) << action; // second order
  }
}

TEST(AdvantageRate, IsTheFormulaOfTheHamiltonian) { // docs/mathematics.md section 5, general chi
  GaussianProblem problem(3, "ddim", 5);
  ValueFunction value = problem.value_function({});
  scatter_weights(value);
  const double lambda = 0.4;
  const at::Tensor gradient = value_at_rows(problem.batch, problem.policy, value, true, 3).gradient;
  const at::Tensor found = advantage_of(problem, value, "gradient", "centred", 0, lambda);
  const at::Tensor plain = advantage_of(problem, value, "gradient", "none", 0, lambda);
  for (long k = 0; k < 5; ++k) {
    const Step& step = problem.table.steps[static_cast<std::size_t>(k)];
    const double s = problem.actions[static_cast<std::size_t>(k)].action_std;
    for (long b = 0; b < 3; ++b) {
      const at::Tensor a = problem.batch.action[k][b].to(torch::kDouble),
                       mu = problem.batch.mean[k][b].to(torch::kDouble),
                       pre = problem.batch.pretrained_mean[k][b].to(torch::kDouble),
                       dv = gradient[k][b].to(torch::kDouble);
      const double slope = 0.5 * (1 + step.chi * step.chi) * step.g_squared_dt;
      const double cost = lambda * step.girsanov;
      const double raw =
          slope * (a * dv).sum().item<double>() - cost * (a - pre).square().sum().item<double>();
      const double mean = slope * (mu * dv).sum().item<double>() -
                          cost * ((mu - pre).square().sum().item<double>() + 2 * s * s);
      EXPECT_NEAR(plain[k][b].item<double>(), raw, 1e-5 * (1 + std::abs(raw)));
      EXPECT_NEAR(found[k][b].item<double>(), raw - mean, 1e-5 * (1 + std::abs(raw)));
    }
  }
}

TEST(AdvantageIncrements, TelescopeToTheRewardMinusTheFirstValue) {
  GaussianProblem problem(8, "ddim", 6);
  ValueFunction value = problem.value_function({});
  scatter_weights(value);
  for (const double lambda : {0.0, 0.5}) {
    const at::Tensor increments = advantage_of(problem, value, "increment", "none", 0, lambda);
    const at::Tensor expected =
        problem.batch.reward - problem.batch.value[0] - lambda * problem.batch.kl_step.sum(0);
    EXPECT_TRUE(torch::allclose(increments.sum(0), expected, 1e-6, 1e-6)) << lambda;
  }
}

TEST(AdvantageIncrements, OfAFewTimesAreThoseOfAllTimes) {
  GaussianProblem problem(8, "ddim", 6);
  ValueFunction value = problem.value_function({});
  scatter_weights(value);
  const at::Tensor all = advantage_of(problem, value, "increment", "none", 0, 0.5);
  // other steps for each sample, the last of them the last of all for some
  const at::Tensor step = torch::tensor({{1}, {3}, {4}}) + torch::arange(8).remainder(2);
  problem.batch.times = {step, torch::full({3, 8}, 2.0, torch::kDouble)};
  attach_pretrained(problem.batch, problem.policy, 8);
  const at::Tensor few = advantage_of(problem, value, "increment", "none", 0, 0.5);
  EXPECT_TRUE(torch::allclose(few, all.gather(0, step), 1e-5, 1e-5));
}

TEST(Standardise, PerTimeOrGloballyToMeanZeroAndDeviationOne) {
  const Communicator alone(MPI_COMM_SELF);
  const at::Tensor raw =
      torch::tensor({{1.0, 2.0, 3.0, 6.0}, {-10.0, 10.0, 0.0, 40.0}, {5.0, 5.5, 4.5, 5.0}}, torch::kDouble);
  at::Tensor per_time = raw.clone();
  standardise(per_time, "per_time", 0, alone);
  EXPECT_TRUE(torch::allclose(per_time.mean(1), torch::zeros({3}, torch::kDouble), 0, 1e-12));
  EXPECT_TRUE(torch::allclose(per_time.std(1, false), torch::ones({3}, torch::kDouble), 1e-6));
  at::Tensor global = raw.clone();
  standardise(global, "global", 0, alone);
  EXPECT_TRUE(torch::allclose(global, (raw - raw.mean()) / (raw.std(false) + 1e-8), 1e-12));
  at::Tensor none = raw.clone();
  standardise(none, "none", 0, alone);
  EXPECT_TRUE(torch::equal(none, raw));
  standardise(none, "none", 4.0, alone);
  EXPECT_TRUE(torch::equal(none, raw.clamp(-4.0, 4.0)));
  EXPECT_THROW(standardise(none, "per_sample", 0, alone), Error);
}

TEST(Standardise, TurnsEqualAdvantagesIntoZeros) {
  at::Tensor equal = torch::full({2, 3}, 4.0, torch::kDouble);
  standardise(equal, "per_time", 5, Communicator(MPI_COMM_SELF));
  EXPECT_EQ(equal.abs().max().item<double>(), 0.0);
}

} // namespace
} // namespace scoreact
