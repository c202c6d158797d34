// J* and the share of the possible gain (docs/mathematics.md section 4) against a model that draws one of a
// few outcomes, for which the tilted optimum can be written down.
#include "evaluation/optimum.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace scoreact {
namespace {

TEST(LogMeanExp, IsTheLogarithmOfTheMean) {
  EXPECT_NEAR(log_mean_exp({std::log(1.0), std::log(2.0), std::log(6.0)}), std::log(3.0), 1e-14);
}

TEST(LogMeanExp, StaysFiniteWhereExpOverflowsOrVanishes) {
  EXPECT_NEAR(log_mean_exp({2000.0, 2000.0}), 2000.0, 1e-10);
  EXPECT_NEAR(log_mean_exp({-5000.0, -5000.0, -9000.0}), -5000.0 + std::log(2.0 / 3.0), 1e-10);
}

TEST(LogMeanExp, RefusesNoValues) { EXPECT_THROW(log_mean_exp({}), Error); }

/// Two prompts; under each the unchanged model draws one of four outcomes with equal probability.
struct FourOutcomes {
  std::vector<double> reward = {0.0, -1.0, -2.0, -0.5, -3.0, -1.5, -0.2, -0.7};
  std::vector<std::int64_t> prompt = {0, 1, 0, 1, 0, 1, 0, 1};
};

/// max over q of E_q R - lambda KL(q || uniform), by the stationary q ~ exp(R / lambda), evaluated as
/// written.
double objective_of_tilted(const std::vector<double>& reward, double lambda) {
  double z = 0;
  for (const double r : reward)
    z += std::exp(r / lambda);
  double objective = 0;
  for (const double r : reward) {
    const double q = std::exp(r / lambda) / z;
    objective += q * (r - lambda * std::log(q * static_cast<double>(reward.size())));
  }
  return objective;
}

TEST(AttainableOptimum, IsTheObjectiveOfTheTiltedDistributionPromptByPrompt) {
  const FourOutcomes model;
  for (const double lambda : {0.1, 0.3, 1.0}) {
    const Optimum optimum = attainable_optimum(model.reward, model.prompt, lambda);
    const double expected = 0.5 * (objective_of_tilted({0.0, -2.0, -3.0, -0.2}, lambda) +
                                   objective_of_tilted({-1.0, -0.5, -1.5, -0.7}, lambda));
    EXPECT_NEAR(optimum.optimum_j, expected, 1e-12) << lambda;
    EXPECT_NEAR(optimum.base_reward, -8.9 / 8.0, 1e-14);
  }
}

TEST(AttainableOptimum, LiesBetweenTheMeanAndTheBestRewardOfEachPrompt) {
  const FourOutcomes model;
  EXPECT_NEAR(attainable_optimum(model.reward, model.prompt, 1e-4).optimum_j, -0.25, 1e-3);
  EXPECT_NEAR(attainable_optimum(model.reward, model.prompt, 1e4).optimum_j, -8.9 / 8.0, 1e-3);
}

TEST(AttainableOptimum, IsUndefinedWithoutAPriceOfDivergence) {
  const FourOutcomes model;
  const Optimum optimum = attainable_optimum(model.reward, model.prompt, 0.0);
  EXPECT_TRUE(std::isnan(optimum.optimum_j));
  EXPECT_TRUE(std::isnan(share_of_gain(optimum, 0.0, -0.1, 1.0)));
}

TEST(ShareOfGain, IsZeroForTheBaseAndOneForTheOptimum) {
  const Optimum optimum{-2.0, -0.5};
  EXPECT_DOUBLE_EQ(share_of_gain(optimum, 0.1, -2.0, 0.0), 0.0);
  EXPECT_DOUBLE_EQ(share_of_gain(optimum, 0.1, -0.4, 1.0), 1.0);
  EXPECT_TRUE(std::isnan(share_of_gain(optimum, 0.1, -0.4, std::nan(""))));
}

} // namespace
} // namespace scoreact
