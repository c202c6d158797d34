#include "diffusion/schedule.hpp"

#include "error/error.hpp"
#include "unit/diffusion/stable_diffusion_schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace scoreact {
namespace {

TEST(Schedule, HasTheKnownValuesOfStableDiffusion) {
  const Schedule schedule = stable_diffusion();
  EXPECT_EQ(schedule.size(), 1000);
  EXPECT_NEAR(schedule.abar_at_index(0), 0.99915, 1e-12);
  EXPECT_NEAR(schedule.abar_at_index(1), 0.998296027838, 1e-12);
  EXPECT_NEAR(schedule.abar_at_index(500), 0.276332683823, 1e-12);
  EXPECT_NEAR(schedule.abar_at_index(999), 0.004660098513, 1e-12);
  EXPECT_NEAR(std::exp(-schedule.log_snr(schedule.tau_of_index(0))), 0.0291671582, 1e-10);
  EXPECT_NEAR(std::exp(-schedule.log_snr(1)), 14.6146412293, 1e-9);
}

TEST(Schedule, HasTheKnownValuesOfTheLinearTable) {
  const Schedule schedule = Schedule::linear(1000, 0.0001, 0.02);
  EXPECT_NEAR(schedule.abar_at_index(1), 0.99978009, 1e-8);
  EXPECT_NEAR(schedule.abar_at_index(500), 0.0777966584, 1e-10);
  EXPECT_NEAR(schedule.abar_at_index(999), 4.0358298e-5, 1e-12);
}

TEST(Schedule, CosineFollowsItsFormulaUntilTheLargestBeta) {
  const Schedule schedule = Schedule::cosine(1000);
  const auto abar = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::acos(-1.0) / 2), 2); };
  for (const long i : {0L, 499L, 900L}) {
    EXPECT_NEAR(schedule.abar_at_index(i), abar(static_cast<double>(i + 1) / 1000) / abar(0), 1e-12);
  }
  EXPECT_NEAR(schedule.abar_at_index(999) / schedule.abar_at_index(998), 0.001,
              1e-12); // beta is held at 0.999
}

TEST(Schedule, ContinuousExtensionPassesThroughTheTable) {
  const Schedule schedule = stable_diffusion();
  EXPECT_EQ(schedule.abar(0), 1);
  EXPECT_EQ(schedule.sigma(0), 0);
  for (long i = 0; i < schedule.size(); ++i) {
    const double tau = schedule.tau_of_index(static_cast<double>(i));
    EXPECT_NEAR(schedule.abar(tau), schedule.abar_at_index(i), 1e-12);
    EXPECT_NEAR(schedule.timestep_of(tau), static_cast<double>(i), 1e-9);
  }
}

TEST(Schedule, IntegralOfDiffusionIsTheLogRatioOfAbar) {
  const Schedule schedule = stable_diffusion();
  const double from = 0.1234, to = 0.8765;
  double integral = 0;
  const int cells = 200000;
  for (int i = 0; i < cells; ++i)
    integral += schedule.g_squared(from + (to - from) * (i + 0.5) / cells) * (to - from) / cells;
  EXPECT_NEAR(integral, std::log(schedule.abar(from) / schedule.abar(to)), 1e-5);
}

TEST(Schedule, DiffusionAtANodeIsTheOneOfItsLeftInterval) {
  const Schedule schedule = stable_diffusion();
  for (const long i : {1L, 2L, 333L, 999L}) {
    const double expected = 1000 * std::log(schedule.abar_at_index(i - 1) / schedule.abar_at_index(i));
    EXPECT_NEAR(schedule.g_squared(schedule.tau_of_index(static_cast<double>(i))), expected, 1e-9);
  }
}

TEST(Schedule, InversesUndoTheirFunctions) {
  const Schedule schedule = stable_diffusion();
  for (const double tau : {0.0004, 0.001, 0.3, 0.77777, 1.0}) {
    EXPECT_NEAR(schedule.tau_of_log_abar(schedule.log_abar(tau)), tau, 1e-12);
    if (tau < 1) {
      EXPECT_NEAR(schedule.tau_of_log_snr(schedule.log_snr(tau)), tau, 1e-10);
    }
    EXPECT_NEAR(std::pow(schedule.alpha(tau), 2) + std::pow(schedule.sigma(tau), 2), 1, 1e-14);
    EXPECT_NEAR(schedule.log_snr(tau), std::log(schedule.alpha(tau) / schedule.sigma(tau)), 1e-10);
  }
  EXPECT_EQ(schedule.tau_of_log_abar(0), 0);
}

TEST(Schedule, RefusesTablesThatDoNotGainNoise) {
  EXPECT_THROW(Schedule::from_alphas_cumprod({0.9, 0.9}), Error);
  EXPECT_THROW(Schedule::from_alphas_cumprod({1.0, 0.5}), Error);
  EXPECT_THROW(Schedule::from_alphas_cumprod({0.9, 0.0}), Error);
  EXPECT_THROW(Schedule::from_alphas_cumprod({0.9, std::numeric_limits<double>::quiet_NaN()}), Error);
  EXPECT_THROW(Schedule::from_alphas_cumprod({0.9}), Error);
  EXPECT_THROW(Schedule::linear(1000, 0.02, 0.0001), Error);
  EXPECT_THROW(Schedule::linear(1, 0.0001, 0.02), Error);
  EXPECT_THROW(stable_diffusion().abar(1.01), Error);
  EXPECT_NO_THROW(Schedule::from_alphas_cumprod({0.9, 0.5}));
}

} // namespace
} // namespace scoreact
