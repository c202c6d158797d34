// The recursions of the exact chain against G1-G4 and against a plain simulation.
#include "verification/exact_chain.hpp"

#include "diffusion/grid.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace scoreact::verification {
namespace {

const Profile bump{1.0, 1.0, -1.0};

StepTable table_of(const std::string& solver, long steps, double eta = 1.0) {
  const auto schedule = Schedule::linear(1000, 1e-4, 0.02);
  GridOptions grid;
  grid.kind = "log_snr";
  grid.num_steps = steps;
  return make_step_table(schedule, make_grid(schedule, grid), {.solver = solver, .eta = eta});
}

const Point kMean{0.8, -0.5};
const double kStd = 0.6;

TEST(ExactChain, ReachesTheDataLawAsStepsGrow) {
  for (const auto& solver : solver_names()) {
    const StepTable coarse = table_of(solver, 50), fine = table_of(solver, 400);
    const auto error = [&](const StepTable& table) {
      const auto law = law_of_chain(table, gaussian_policy(table, kMean, kStd)).state.back();
      return std::abs(law.mean[0] - kMean[0]) + std::abs(law.variance - kStd * kStd);
    };
    EXPECT_LT(error(fine), 0.02) << solver;
    EXPECT_LT(error(fine), error(coarse) + 0.005) << solver; // 0.005: alpha(1), and the noise left at abar_0
  }
}

/// Plain simulation of one chain, written from the text of diffusion/step.hpp.
TEST(ExactChain, AgreesWithASimulationOfTheSteps) {
  for (const auto& solver : solver_names()) {
    const StepTable table = table_of(solver, 12);
    const auto policy = shifted(gaussian_policy(table, kMean, kStd), table, bump, {0.7, 0.2}, 0.5);
    const std::vector<double> exploration(table.steps.size(), 0.3);
    const auto law = law_of_chain(table, policy, exploration).state.back();
    std::mt19937_64 engine(5);
    std::normal_distribution<double> normal;
    const int draws = 100000;
    double sum = 0, squares = 0;
    for (int i = 0; i < draws; ++i) {
      double x = normal(engine), previous = 0;
      for (std::size_t k = 0; k < table.steps.size(); ++k) {
        const Step& step = table.steps[k];
        const double z = normal(engine), explored = 0.3 * normal(engine);
        const double mean = policy.first[k].slope * x + policy.first[k].offset[0];
        const double a = mean + explored;
        const double predicted = step.predict_keep * x + step.predict_push * a + step.predict_spread * z;
        const double second = policy.second[k].slope * predicted + policy.second[k].offset[0] + explored;
        const double next = step.keep * x + step.push * a + step.carry * previous + step.spread * z +
                            step.push_second * second;
        previous = (x + (1 - step.abar) * mean) / step.alpha();
        x = next;
      }
      sum += x;
      squares += x * x;
    }
    const double mean = sum / draws, variance = squares / draws - mean * mean;
    EXPECT_NEAR(mean, law.mean[0], 4 * std::sqrt(law.variance / draws)) << solver;
    EXPECT_NEAR(variance, law.variance, 4 * law.variance * std::sqrt(2.0 / draws)) << solver;
  }
}

TEST(ExactChain, DerivativeIsThatOfTheObjective) {
  const Point u{0.7, -0.3};
  const QuadraticReward reward{{0.4, 0.1}, 0.8, {0.2, 0.9}};
  for (const auto& solver : {"ddim", "ddpm", "euler_maruyama", "heun_sde", "dpmpp_2m_sde"}) {
    const StepTable table = table_of(solver, 20);
    const auto pretrained = gaussian_policy(table, kMean, kStd);
    const double lambda = 0.3, theta = 0.4, h = 1e-4;
    const auto objective = [&](double t) {
      const auto policy = shifted(pretrained, table, bump, u, t);
      const auto law = law_of_chain(table, policy);
      double kl = 0;
      for (const double term : kl_steps(table, policy, pretrained, law, PathKl::girsanov)) {
        kl += term;
      }
      return expected_reward(law.state.back(), reward) - lambda * kl;
    };
    EXPECT_NEAR(objective_derivative(table, pretrained, bump, u, theta, reward, lambda, PathKl::girsanov),
                (objective(theta + h) - objective(theta - h)) / (2 * h), 1e-7)
        << solver;
  }
}

TEST(ExactChain, TiltedPushesApproachTheClosedFormsOfG2) {
  const Point u{0.7, -0.3};
  const double lambda = 0.5, norm = u[0] * u[0] + u[1] * u[1];
  const auto result = tilted_on_chain(table_of("ddim", 800), kStd, u, lambda, PathKl::girsanov);
  EXPECT_NEAR(result.gain, kStd * kStd * norm / lambda, 0.01 * kStd * kStd * norm / lambda);
  EXPECT_NEAR(result.kl, kStd * kStd * norm / (2 * lambda * lambda),
              0.01 * kStd * kStd * norm / (2 * lambda * lambda));
}

TEST(ExactChain, NoPushIsBetterThanTheDiscreteOptimum) {
  const Point u{0.7, -0.3};
  const double lambda = 0.5;
  const StepTable table = table_of("ddim", 50);
  const auto best = discrete_optimum(table, gaussian_policy(table, kMean, kStd), u, lambda);
  const auto tilted = tilted_on_chain(table, kStd, u, lambda, PathKl::girsanov);
  EXPECT_GT(best.gain - lambda * best.kl, tilted.gain - lambda * tilted.kl);
  EXPECT_NEAR(best.gain, 2 * lambda * best.kl, 1e-12 * best.gain); // a quadratic at its maximum
}

} // namespace
} // namespace scoreact::verification
