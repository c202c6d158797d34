#include "optim/learning_rate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace scoreact {
namespace {

TEST(LearningRate, IsConstantByDefault) {
  for (const long step : {0L, 7L, 1000L})
    EXPECT_EQ(learning_rate({2e-3, "constant", 0, 10}, step), 2e-3);
}

TEST(LearningRate, WarmsUpLinearly) {
  const LearningRateOptions options{1.0, "constant", 4, 10};
  EXPECT_DOUBLE_EQ(learning_rate(options, 0), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate(options, 2), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate(options, 3), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 9), 1.0);
}

TEST(LearningRate, FallsAlongHalfACosine) {
  const LearningRateOptions options{2.0, "cosine", 0, 8};
  EXPECT_DOUBLE_EQ(learning_rate(options, 0), 2.0);
  EXPECT_NEAR(learning_rate(options, 2), 1.0 + std::numbers::sqrt2 / 2, 1e-15);
  EXPECT_NEAR(learning_rate(options, 4), 1.0, 1e-15);
  EXPECT_GT(learning_rate(options, 7), 0.0); // the last update still moves
  EXPECT_EQ(learning_rate(options, 8), 0.0);
  EXPECT_EQ(learning_rate(options, 50), 0.0); // never rises again
}

TEST(LearningRate, WarmUpMultipliesTheCosine) {
  EXPECT_NEAR(learning_rate({1.0, "cosine", 2, 4}, 0), 0.5, 1e-15);
  EXPECT_NEAR(learning_rate({1.0, "cosine", 2, 4}, 1), 0.5 * (1 + std::cos(std::numbers::pi / 4)), 1e-15);
}

} // namespace
} // namespace scoreact
