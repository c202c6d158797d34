// The columns of the step table against the textbook form of each solver, and the two path KLs
// (docs/mathematics.md section 4).
#include "diffusion/step.hpp"

#include "error/error.hpp"
#include "unit/diffusion/stable_diffusion_schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace scoreact {
namespace {

StepTable table_of(const std::string& solver, double eta, long num_steps = 20,
                   const std::string& grid = "leading", bool end_at_data = false) {
  const Schedule schedule = stable_diffusion();
  GridOptions options;
  options.kind = grid;
  options.num_steps = num_steps;
  options.end_at_data = end_at_data;
  return make_step_table(schedule, make_grid(schedule, options), {solver, eta, true});
}

constexpr double x = 0.83, s = -1.7, second_score = 0.4, z = 0.61, previous_x0 = -0.29;

double one_stage(const Step& step) {
  return step.keep * x + step.push * s + step.carry * previous_x0 + step.spread * z;
}

TEST(StepTable, OfDdimIsTheFormulaInDataAndNoise) {
  for (const double eta : {0.0, 0.3, 1.0}) {
    for (const Step& step : table_of("ddim", eta).steps) {
      const double x0 = (x + (1 - step.abar) * s) / step.alpha(), epsilon = -step.sigma() * s;
      const double variance =
          eta * eta * (1 - step.abar_next) / (1 - step.abar) * (1 - step.abar / step.abar_next);
      const double expected = std::sqrt(step.abar_next) * x0 +
                              std::sqrt(1 - step.abar_next - variance) * epsilon + std::sqrt(variance) * z;
      EXPECT_NEAR(one_stage(step), expected, 1e-12);
      EXPECT_EQ(step.chi, eta);
    }
  }
}

TEST(StepTable, AncestralSamplingIsDdimWithEtaOneAndTheFirstOrderSdeSolver) {
  const StepTable ddim = table_of("ddim", 1), ddpm = table_of("ddpm", 0.2);
  const StepTable sde = table_of("dpmpp_2m_sde", 0.2, 10), ancestral = table_of("ddpm", 1, 10);
  for (std::size_t k = 0; k < ddim.steps.size(); ++k) {
    EXPECT_NEAR(ddpm.steps[k].keep, ddim.steps[k].keep, 1e-12);
    EXPECT_NEAR(ddpm.steps[k].push, ddim.steps[k].push, 1e-12);
    EXPECT_NEAR(ddpm.steps[k].spread, ddim.steps[k].spread, 1e-12);
    EXPECT_EQ(ddpm.steps[k].chi, 1);
  }
  for (const std::size_t k :
       {std::size_t{0}, std::size_t{9}}) { // its first step, and its last of fewer than 15
    EXPECT_NEAR(sde.steps[k].keep, ancestral.steps[k].keep, 1e-12);
    EXPECT_NEAR(sde.steps[k].push, ancestral.steps[k].push, 1e-12);
    EXPECT_NEAR(sde.steps[k].spread, ancestral.steps[k].spread, 1e-12);
    EXPECT_EQ(sde.steps[k].carry, 0);
  }
}

TEST(StepTable, OfEulerMaruyamaIsTheBackwardSde) {
  for (const Step& step : table_of("euler_maruyama", 0.7).steps) {
    const double time = std::log(step.abar_next / step.abar);
    EXPECT_NEAR(step.g_squared_dt, time, 1e-14);
    EXPECT_NEAR(one_stage(step), x + (0.5 * x + 0.5 * 1.49 * s) * time + 0.7 * std::sqrt(time) * z, 1e-13);
  }
}

TEST(StepTable, OfHeunIsTheTrapezoidalRuleWithTheSameNoise) {
  const StepTable table = table_of("heun_sde", 0.7);
  EXPECT_TRUE(table.two_stage());
  for (const Step& step : table.steps) {
    const double time = step.g_squared_dt, noise = 0.7 * std::sqrt(time) * z;
    const auto drift = [](double state, double score) { return 0.5 * state + 0.5 * 1.49 * score; };
    const double predicted = x + drift(x, s) * time + noise;
    EXPECT_NEAR(step.predict_keep * x + step.predict_push * s + step.predict_spread * z, predicted, 1e-13);
    const double expected = x + 0.5 * time * (drift(x, s) + drift(predicted, second_score)) + noise;
    EXPECT_NEAR(one_stage(step) + step.push_second * second_score, expected, 1e-13);
  }
}

TEST(StepTable, OfHeunEndsAtTheDataWithAnEulerStep) {
  const StepTable heun = table_of("heun_sde", 1, 20, "leading", true),
                  euler = table_of("euler_maruyama", 1, 20, "leading", true);
  EXPECT_EQ(heun.steps.back().push_second, 0);
  EXPECT_EQ(heun.steps.back().keep, euler.steps.back().keep);
  EXPECT_EQ(heun.steps.back().spread, euler.steps.back().spread);
  EXPECT_NE(heun.steps[18].push_second, 0);
}

TEST(StepTable, OfDpmSolverIsItsTwoStepFormulaInDataPrediction) {
  const StepTable ode = table_of("dpmpp_2m", 0), sde = table_of("dpmpp_2m_sde", 1);
  EXPECT_TRUE(ode.multistep());
  const auto log_snr = [](double abar) { return 0.5 * std::log(abar / (1 - abar)); };
  for (std::size_t k = 1; k < ode.steps.size(); ++k) { // 20 steps: second order to the end
    const Step& step = ode.steps[k];
    const double h = log_snr(step.abar_next) - log_snr(step.abar),
                 h_previous = log_snr(step.abar) - log_snr(ode.steps[k - 1].abar);
    const double x0 = (x + (1 - step.abar) * s) / step.alpha(),
                 difference = (x0 - previous_x0) / (h_previous / h);
    const double alpha = std::sqrt(step.abar_next), sigma = std::sqrt(1 - step.abar_next);
    const double expected_ode =
        sigma / step.sigma() * x - alpha * (std::exp(-h) - 1) * (x0 + 0.5 * difference);
    EXPECT_NEAR(one_stage(step), expected_ode, 1e-11);
    const double share = 1 - std::exp(-2 * h);
    const double expected_sde = sigma / step.sigma() * std::exp(-h) * x +
                                alpha * share * (x0 + 0.5 * difference) + sigma * std::sqrt(share) * z;
    EXPECT_NEAR(one_stage(sde.steps[k]), expected_sde, 1e-11);
  }
  EXPECT_EQ(ode.steps[0].carry, 0);
}

TEST(StepTable, LowersTheOrderOfTheLastOfFewStepsAsDiffusersDoes) {
  EXPECT_EQ(table_of("dpmpp_2m", 0, 14).steps.back().carry, 0);
  EXPECT_NE(table_of("dpmpp_2m", 0, 15).steps.back().carry, 0);
  EXPECT_EQ(table_of("dpmpp_2m", 0, 20, "leading", true).steps.back().carry, 0);
}

// A step to abar = 1 returns x0hat and, but for Euler, no noise: no policy there to differentiate.
TEST(StepTable, EndsAtTheDataPrediction) {
  for (const std::string solver : {"ddim", "ddpm", "dpmpp_2m", "dpmpp_2m_sde"}) {
    const Step last = table_of(solver, 1, 20, "leading", true).steps.back();
    EXPECT_NEAR(one_stage(last), (x + (1 - last.abar) * s) / last.alpha(), 1e-12) << solver;
    EXPECT_EQ(last.spread, 0) << solver;
    EXPECT_TRUE(std::isnan(last.chain)) << solver;
  }
}

TEST(StepTable, KeepsNoiseInTheLastStepOfTheDefaultGrid) {
  for (const std::string solver : {"ddim", "ddpm", "euler_maruyama"}) {
    for (const Step& step : table_of(solver, 1, 50).steps) {
      EXPECT_GT(step.spread, 0) << solver;
      EXPECT_GT(step.push, 0) << solver;
    }
  }
}

TEST(PathKl, OfTheChainIsTheGirsanovSumForEulerSteps) {
  for (const double chi : {0.1, 0.5, 1.0}) {
    for (const Step& step : table_of("euler_maruyama", chi).steps)
      EXPECT_NEAR(step.chain / step.girsanov, 1, 1e-12);
  }
}

TEST(PathKl, IsTheIntegralOfTheDiffusionForAConstantDifference) {
  for (const std::string solver : {"ddim", "euler_maruyama", "heun_sde"}) {
    for (const double chi : {0.4, 1.0}) {
      const StepTable table = table_of(solver, chi);
      double total = 0;
      for (const Step& step : table.steps)
        total += step.girsanov;
      const double ratio = (1 + chi * chi) / (2 * chi);
      const double time = std::log(table.steps.back().abar_next / table.steps.front().abar);
      EXPECT_NEAR(total, 0.5 * ratio * ratio * time, 1e-12) << solver;
    }
  }
}

TEST(PathKl, OfTheChainIsTheKlOfTwoGaussiansForDdimSteps) {
  for (const Step& step : table_of("ddim", 1).steps) {
    const double difference = 0.37 * step.push; // of the means, for scores 0.37 apart
    EXPECT_NEAR(step.chain * 0.37 * 0.37, difference * difference / (2 * step.spread * step.spread), 1e-12);
  }
  double girsanov = 0, chain = 0;
  for (const Step& step : table_of("ddim", 1, 1000, "uniform").steps)
    girsanov += step.girsanov, chain += step.chain;
  EXPECT_GT(chain / girsanov, 1.0);
  EXPECT_LT(chain / girsanov, 1.1); // the two agree as the grid is refined
}

TEST(PathKl, IsUndefinedWhereThereIsNone) {
  for (const std::string solver : {"ddim", "euler_maruyama", "heun_sde", "dpmpp_2m"}) {
    const StepTable table = table_of(solver, 0);
    EXPECT_FALSE(table.stochastic()) << solver;
    for (const Step& step : table.steps) {
      EXPECT_TRUE(std::isnan(step.girsanov)) << solver;
      EXPECT_TRUE(std::isnan(step.chain)) << solver;
    }
  }
  EXPECT_TRUE(
      std::isnan(table_of("heun_sde", 1).steps[3].chain)); // not Gaussian: the score acts on the noise
  EXPECT_TRUE(std::isnan(table_of("dpmpp_2m_sde", 1).steps[3].chain)); // not Markov
  EXPECT_TRUE(table_of("dpmpp_2m_sde", 1).stochastic());
}

TEST(StepTable, RefusesWhatItCannotFill) {
  const Schedule schedule = stable_diffusion();
  const Grid grid = make_grid(schedule, {});
  EXPECT_THROW(make_step_table(schedule, grid, {"leapfrog", 1, true}), Error);
  EXPECT_THROW(make_step_table(schedule, grid, {"ddim", 1.1, true}), Error);
  EXPECT_THROW(make_step_table(schedule, grid, {"ddim", -0.1, true}), Error);
  EXPECT_THROW(make_step_table(Schedule::linear(1000, 0.0001, 0.02), grid, {}),
               Error); // another schedule's grid
  EXPECT_THAT(solver_names(),
              testing::ElementsAre("ddim", "ddpm", "euler_maruyama", "heun_sde", "dpmpp_2m", "dpmpp_2m_sde"));
}

} // namespace
} // namespace scoreact
