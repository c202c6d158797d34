// PNDM without Runge-Kutta steps, and the timesteps of diffusers' own schedulers. Expected values: a separate
// float64 program that reproduces the values of diffusers' tests (tests/schedulers/test_scheduler_pndm.py,
// Apache-2.0) with Runge-Kutta steps, and those tests' lists of timesteps.
#include "diffusion/grid.hpp"
#include "diffusion/pndm.hpp"
#include "error/error.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <vector>

namespace scoreact {
namespace {

Schedule noise_of_sd15() { return Schedule::scaled_linear(1000, 0.00085, 0.012); }

TEST(Pndm, TheSecondTimeIsVisitedTwice) {
  std::vector<long> times;
  for (const PndmStep& step : pndm_steps(noise_of_sd15(), 10, 1, false))
    times.push_back(step.timestep);
  EXPECT_EQ(times, (std::vector<long>{901, 801, 801, 701, 601, 501, 401, 301, 201, 101, 1}));
  EXPECT_EQ(pndm_steps(noise_of_sd15(), 50, 1, false).size(), 51U);
  EXPECT_EQ(pndm_steps(noise_of_sd15(), 1, 1, false).size(), 1U);
}

TEST(Pndm, StableDiffusionLoopInFloat64) {
  // m(x, t) = x t / (t + 1) on |x| = arange(768) / 768: every element goes its own way
  double sum = 0;
  for (long i = 0; i < 768; ++i) {
    double x = static_cast<double>(i) / 768;
    const double first = x;
    std::deque<double> outputs;
    for (const PndmStep& step : pndm_steps(noise_of_sd15(), 50, 1, false)) {
      const auto t = static_cast<double>(step.timestep);
      outputs.push_front(x * t / (t + 1));
      double mixed = 0;
      for (std::size_t j = 0; j < step.weight.size(); ++j)
        mixed += step.weight[j] * outputs[j];
      if (!step.remembers)
        outputs.pop_front();
      x = step.keep * (step.from_first ? first : x) + step.push * mixed;
    }
    sum += std::abs(x);
  }
  EXPECT_NEAR(sum, 203.4992260897584, 1e-9);
}

TEST(Pndm, AStepOfAConstantNoiseIsExact) {
  // with the same eps everywhere x = sqrt(abar) x0 + sqrt(1 - abar) eps is the exact path, whatever the
  // weights
  const Schedule schedule = noise_of_sd15();
  const double x0 = 0.7, eps = -1.3;
  const auto steps = pndm_steps(schedule, 20, 1, true);
  double x = std::sqrt(steps[0].abar) * x0 + std::sqrt(1 - steps[0].abar) * eps;
  const double first = x;
  for (const PndmStep& step : steps) {
    double total = 0;
    for (const double weight : step.weight)
      total += weight;
    EXPECT_NEAR(total, 1, 1e-14);
    x = step.keep * (step.from_first ? first : x) + step.push * eps * total;
  }
  EXPECT_NEAR(x, x0, 1e-12);
}

TEST(Pndm, MoreStepsThanTimesAreRefused) {
  try {
    pndm_steps(noise_of_sd15(), 1001, 1, false);
    ADD_FAILURE() << "1001 steps of 1000 times";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("num_steps"), std::string::npos) << error.what();
  }
}

TEST(SchedulerTimesteps, DpmSolverLeavesTheCleanestTimeOut) {
  const std::vector<long> leading = scheduler_timesteps("dpmpp_2m", "leading", 1000, 20, 1);
  ASSERT_EQ(leading.size(), 20U);
  EXPECT_EQ(leading[0], 941);
  EXPECT_EQ(leading[1], 894);
  EXPECT_EQ(leading[19], 48);
  const std::vector<long> linspace = scheduler_timesteps("dpmpp_2m_sde", "linspace", 1000, 3, 1);
  EXPECT_EQ(linspace, (std::vector<long>{999, 666, 333}));
  EXPECT_EQ(scheduler_timesteps("dpmpp_2m", "trailing", 1000, 4, 1), (std::vector<long>{999, 749, 499, 249}));
  EXPECT_EQ(scheduler_timesteps("ddim", "leading", 1000, 5, 1), (std::vector<long>{801, 601, 401, 201, 1}));
}

} // namespace
} // namespace scoreact
