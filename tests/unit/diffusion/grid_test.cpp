#include "diffusion/grid.hpp"

#include "diffusion/step.hpp"
#include "error/error.hpp"
#include "unit/diffusion/stable_diffusion_schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace scoreact {
namespace {

using testing::ElementsAre;

GridOptions options_of(const std::string& kind, long num_steps, bool end_at_data = false) {
  GridOptions options;
  options.kind = kind;
  options.num_steps = num_steps;
  options.end_at_data = end_at_data;
  for (long k = 0; k < num_steps && kind == "stratified"; ++k) {
    options.cell_uniforms.push_back(std::fmod(0.618034 * static_cast<double>(k + 1), 1.0));
  }
  return options;
}

TEST(IndexTimesteps, AreThoseOfDiffusers) {
  EXPECT_THAT(index_timesteps("leading", 1000, 5, 1), ElementsAre(801, 601, 401, 201, 1));
  EXPECT_THAT(index_timesteps("leading", 1000, 5, 0), ElementsAre(800, 600, 400, 200, 0));
  EXPECT_THAT(index_timesteps("trailing", 1000, 5, 1), ElementsAre(999, 799, 599, 399, 199));
  EXPECT_THAT(index_timesteps("trailing", 1000, 7, 1), ElementsAre(999, 856, 713, 570, 428, 285, 142));
  EXPECT_THAT(index_timesteps("linspace", 1000, 5, 1),
              ElementsAre(999, 749, 500, 250, 0)); // 749.25, 499.5 to even
  const std::vector<long> fifty = index_timesteps("leading", 1000, 50, 1);
  EXPECT_EQ(fifty[0], 981);
  EXPECT_EQ(fifty[1], 961);
  EXPECT_EQ(fifty[48], 21);
  EXPECT_EQ(fifty[49], 1);
}

TEST(Grid, OfEveryKindRunsFromNoiseToDataAndGainsSignalInEveryStep) {
  const Schedule schedule = stable_diffusion();
  for (const std::string& kind : grid_names()) {
    for (const long num_steps : {1L, 2L, 10L, 50L}) {
      for (const bool end_at_data : {false, true}) {
        const Grid grid = make_grid(schedule, options_of(kind, num_steps, end_at_data));
        ASSERT_EQ(grid.tau.size(), static_cast<std::size_t>(num_steps + 1)) << kind;
        EXPECT_EQ(grid.kind, kind);
        for (std::size_t k = 0; k + 1 < grid.tau.size(); ++k) {
          EXPECT_GT(grid.tau[k], grid.tau[k + 1]) << kind << " step " << k;
          EXPECT_LT(grid.abar[k], grid.abar[k + 1]) << kind << " step " << k;
          EXPECT_NEAR(grid.abar[k], schedule.abar(grid.tau[k]), 1e-12) << kind << " step " << k;
        }
        // linspace evaluates index 0, from where only the data is left
        const bool to_data = end_at_data || kind == "linspace";
        EXPECT_NEAR(grid.abar.back(), to_data ? 1.0 : schedule.abar_at_index(0), 1e-14) << kind;
      }
    }
  }
}

TEST(Grid, LeadingEvaluatesWhereDiffusersDoesAndEndsAtTheFirstAbar) {
  const Schedule schedule = stable_diffusion();
  const Grid grid = make_grid(schedule, options_of("leading", 50));
  EXPECT_EQ(grid.abar[0], schedule.abar_at_index(981));
  EXPECT_EQ(grid.abar[1], schedule.abar_at_index(961)); // the end of step 0 is the next evaluation
  EXPECT_EQ(grid.abar[49], schedule.abar_at_index(1));
  EXPECT_EQ(grid.abar[50], schedule.abar_at_index(0));
}

TEST(Grid, ContinuousKindsAreEvenInTheirOwnCoordinate) {
  const Schedule schedule = stable_diffusion();
  const auto expect_even = [&](const std::string& kind, auto coordinate) {
    const Grid grid = make_grid(schedule, options_of(kind, 12));
    const double first = coordinate(grid.tau.front()), step = (coordinate(grid.tau.back()) - first) / 12;
    for (std::size_t k = 0; k < grid.tau.size(); ++k) {
      EXPECT_NEAR(coordinate(grid.tau[k]), first + step * static_cast<double>(k), 1e-9)
          << kind << " node " << k;
    }
    EXPECT_EQ(grid.tau.front(), 1) << kind;
    EXPECT_EQ(grid.tau.back(), 0.001) << kind;
  };
  expect_even("uniform", [](double tau) { return tau; });
  expect_even("quadratic", [](double tau) { return std::sqrt(tau); });
  expect_even("log_snr", [&](double tau) { return schedule.log_snr(tau); });
  expect_even("karras",
              [&](double tau) { return std::pow(schedule.sigma(tau) / schedule.alpha(tau), 1.0 / 7); });
}

TEST(Grid, StratifiedHasOneTimeInEachCell) {
  const Schedule schedule = stable_diffusion();
  const GridOptions options = options_of("stratified", 8);
  const Grid grid = make_grid(schedule, options);
  for (std::size_t k = 0; k < 8; ++k) {
    const double expected = 1 - 0.999 / 8 * (static_cast<double>(k) + options.cell_uniforms[k]);
    EXPECT_NEAR(grid.tau[k], expected, 1e-14);
  }
}

TEST(Grid, RefusesWhatItCannotBuild) {
  const Schedule schedule = stable_diffusion();
  EXPECT_THROW(make_grid(schedule, options_of("sideways", 10)), Error);
  EXPECT_THROW(make_grid(schedule, options_of("uniform", 1001)), Error);
  EXPECT_THROW(make_grid(schedule, options_of("leading", 0)), Error);
  EXPECT_THROW(make_grid(schedule, options_of("leading", 1000)), Error); // offset 1 leaves the table
  GridOptions unseeded = options_of("stratified", 8);
  unseeded.cell_uniforms.pop_back();
  EXPECT_THROW(make_grid(schedule, unseeded), Error);
  EXPECT_THROW(grid_from_timesteps(schedule, {100, 100, 1}, false), Error);
  EXPECT_THROW(grid_from_timesteps(schedule, {100, 200}, false), Error);
  EXPECT_THROW(grid_from_timesteps(schedule, {1000, 1}, false), Error);
  EXPECT_THROW(grid_from_timesteps(schedule, {}, false), Error);
}

/// Exact expectation of sum_k weight_k f(step_k): every stratum's draw runs through all of its steps.
double expected_sum(long num_steps, long num_drawn, long always_last) {
  const auto f = [](long step) {
    return std::sin(0.3 * static_cast<double>(step)) + 0.01 * static_cast<double>(step * step);
  };
  double expectation = 0;
  for (long k = 0; k < num_drawn; ++k) {
    // fine midpoints, a multiple of every stratum's size, so that each of its steps is met equally often
    const int points = 2520 * 4;
    for (int i = 0; i < points; ++i) {
      std::vector<double> uniforms(static_cast<std::size_t>(num_drawn), 0.5);
      uniforms[static_cast<std::size_t>(k)] = (i + 0.5) / points;
      const StepSubset subset = stratified_subset(num_steps, num_drawn, always_last, uniforms);
      const auto j = static_cast<std::size_t>(k);
      expectation += subset.weight[j] * f(subset.step[j]) / points;
    }
  }
  double all = 0;
  for (long step = 0; step < num_steps; ++step)
    all += f(step);
  return expectation - all;
}

TEST(StratifiedSubset, IsUnbiasedForAnySum) {
  EXPECT_NEAR(expected_sum(50, 10, 0), 0, 1e-9);
  EXPECT_NEAR(expected_sum(50, 7, 0), 0, 1e-9); // strata of 7 and 8 steps
  EXPECT_NEAR(expected_sum(50, 10, 2), 0, 1e-9);
  EXPECT_NEAR(expected_sum(20, 20, 0), 0, 1e-9);
  EXPECT_NEAR(expected_sum(9, 4, 3), 0, 1e-9);
}

TEST(StratifiedSubset, AlwaysHasTheLastStepsWithWeightOne) {
  const StepSubset subset = stratified_subset(50, 6, 2, {0, 0.3, 0.7, 0.999999999999, 0.1, 0.2});
  ASSERT_EQ(subset.step.size(), 6U);
  EXPECT_EQ(subset.step[4], 48);
  EXPECT_EQ(subset.step[5], 49);
  EXPECT_EQ(subset.weight[4], 1);
  EXPECT_EQ(subset.weight[5], 1);
  EXPECT_EQ(subset.step[0], 0);
  EXPECT_EQ(subset.step[3], 47);
  EXPECT_EQ(subset.weight[0], 12);
}

TEST(StratifiedSubset, OfAllStepsIsEveryStepOnce) {
  const StepSubset subset = stratified_subset(5, 5, 2, {0.1, 0.9, 0.5, 0.3, 0.8});
  EXPECT_THAT(subset.step, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(subset.weight, ElementsAre(1, 1, 1, 1, 1));
}

TEST(StratifiedSubset, RefusesWhatWouldBeBiased) {
  EXPECT_THROW(stratified_subset(50, 51, 0, std::vector<double>(51, 0.5)), Error);
  EXPECT_THROW(stratified_subset(50, 4, 4, std::vector<double>(4, 0.5)),
               Error); // the other 46 would never be drawn
  EXPECT_THROW(stratified_subset(50, 4, 0, {0.5, 0.5}), Error);
  EXPECT_THROW(stratified_subset(50, 2, 0, {0.5, 1.0}), Error);
}

} // namespace
} // namespace scoreact
