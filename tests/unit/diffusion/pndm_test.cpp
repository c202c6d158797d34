// PNDM, and the timesteps of diffusers' own schedulers. Expected values: those of diffusers' tests
// (tests/schedulers/test_scheduler_pndm.py, Apache-2.0), and of a separate float64 program that reproduces
// them.
#include "diffusion/grid.hpp"
#include "diffusion/pndm.hpp"
#include "diffusion/prediction.hpp"
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
  for (const PndmStep& step : pndm_steps(noise_of_sd15(), "leading", 10, 1, false, true))
    times.push_back(step.timestep);
  EXPECT_EQ(times, (std::vector<long>{901, 801, 801, 701, 601, 501, 401, 301, 201, 101, 1}));
  EXPECT_EQ(pndm_steps(noise_of_sd15(), "leading", 50, 1, false, true).size(), 51U);
  EXPECT_EQ(pndm_steps(noise_of_sd15(), "leading", 1, 1, false, true).size(), 1U);
}

/// The loop of those tests: m(x, t) = x t / (t + 1) on |x| = arange(768) / 768, so that every element goes
/// its own way. Sum of the absolute results.
double loop(const std::vector<PndmStep>& steps, Prediction output = Prediction::epsilon) {
  double sum = 0;
  for (long i = 0; i < 768; ++i) {
    double x = static_cast<double>(i) / 768, marked = x;
    std::deque<double> outputs;
    for (const PndmStep& step : steps) {
      if (step.marks)
        marked = x;
      const auto t = static_cast<double>(step.timestep);
      outputs.push_front(x * t / (t + 1));
      double mixed = 0;
      for (std::size_t j = 0; j < step.weight.size(); ++j)
        mixed += step.weight[j] * outputs[j];
      outputs.erase(outputs.begin(), outputs.begin() + step.forgets);
      const double from = step.from_marked ? marked : x;
      const LinearMap epsilon = convert(output, Prediction::epsilon, step.abar_from);
      x = step.keep * from + step.push * (epsilon.on_state * from + epsilon.on_prediction * mixed);
    }
    sum += std::abs(x);
  }
  return sum;
}

TEST(Pndm, StableDiffusionLoopInFloat64) {
  EXPECT_NEAR(loop(pndm_steps(noise_of_sd15(), "leading", 50, 1, false, true)), 203.4992260897584, 1e-9);
}

/// test_scheduler_pndm.py: test_full_loop_no_noise, test_full_loop_with_v_prediction,
/// test_full_loop_with_set_alpha_to_one and test_full_loop_with_no_set_alpha_to_one, computed in float32;
/// their own tolerance.
TEST(Pndm, RungeKuttaLoops) {
  EXPECT_NEAR(loop(pndm_steps(Schedule::linear(1000, 1e-4, 0.02), "leading", 10, 0, false, false)), 198.1318,
              1e-2);
  EXPECT_NEAR(loop(pndm_steps(Schedule::linear(1000, 1e-4, 0.02), "leading", 10, 0, false, false),
                   Prediction::v_prediction),
              67.3986, 1e-2);
  EXPECT_NEAR(loop(pndm_steps(Schedule::linear(1000, 0.01, 0.02), "leading", 10, 0, true, false)), 230.0399,
              1e-2);
  EXPECT_NEAR(loop(pndm_steps(Schedule::linear(1000, 0.01, 0.02), "leading", 10, 0, false, false)), 186.9482,
              1e-2);
}

/// test_scheduler_pndm.py: test_steps_offset.
TEST(Pndm, RungeKuttaCallsAreAtTheTimesOfDiffusers) {
  std::vector<long> times;
  for (const PndmStep& step : pndm_steps(Schedule::linear(1000, 1e-4, 0.02), "leading", 10, 1, false, false))
    times.push_back(step.timestep);
  EXPECT_EQ(times, (std::vector<long>{901, 851, 851, 801, 801, 751, 751, 701, 701, 651, 651, 601, 601, 501,
                                      401, 301, 201, 101, 1}));
}

TEST(Pndm, ARungeKuttaStepHasFourCalls) {
  std::vector<long> times;
  for (const PndmStep& step : pndm_steps(noise_of_sd15(), "leading", 5, 1, false, false))
    times.push_back(step.timestep);
  EXPECT_EQ(times, (std::vector<long>{801, 701, 701, 601, 601, 501, 501, 401, 401, 301, 301, 201, 201, 1}));
  EXPECT_THROW(pndm_steps(noise_of_sd15(), "leading", 3, 1, false, false), Error);
}

class PndmStart : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, PndmStart, testing::Bool(), [](const auto& start) {
  return start.param ? std::string("skips") : std::string("runge_kutta");
});

TEST_P(PndmStart, AStepOfAConstantNoiseIsExact) {
  // with the same eps everywhere x = sqrt(abar) x0 + sqrt(1 - abar) eps is the exact path, whatever the
  // weights
  const Schedule schedule = noise_of_sd15();
  const double x0 = 0.7, eps = -1.3;
  const auto steps = pndm_steps(schedule, "leading", 20, 1, true, GetParam());
  double x = std::sqrt(steps[0].abar) * x0 + std::sqrt(1 - steps[0].abar) * eps;
  double marked = x;
  for (const PndmStep& step : steps) {
    if (step.marks)
      marked = x;
    double total = 0;
    for (const double weight : step.weight)
      total += weight;
    EXPECT_NEAR(total, 1, 1e-14);
    x = step.keep * (step.from_marked ? marked : x) + step.push * eps * total;
  }
  EXPECT_NEAR(x, x0, 1e-12);
}

TEST(Pndm, MoreStepsThanTimesAreRefused) {
  try {
    pndm_steps(noise_of_sd15(), "leading", 1001, 1, false, true);
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
