#include "diffusion/prediction.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace scoreact {
namespace {

constexpr std::array kinds = {Prediction::epsilon, Prediction::sample, Prediction::score,
                              Prediction::v_prediction};

/// The four names of one pair (x0, eps) at a noise level, from their definitions.
double named(Prediction kind, double alpha, double sigma, double x0, double epsilon) {
  switch (kind) {
  case Prediction::epsilon:
    return epsilon;
  case Prediction::sample:
    return x0;
  case Prediction::score:
    return -epsilon / sigma;
  case Prediction::v_prediction:
    return alpha * epsilon - sigma * x0;
  }
  return 0;
}

TEST(PredictionConversion, AgreesWithTheDefinitionsBetweenAnyTwo) {
  const double x0 = 0.37, epsilon = -1.21;
  for (const double abar : {0.00466, 0.3, 0.99915}) {
    const double alpha = std::sqrt(abar), sigma = std::sqrt(1 - abar), x = alpha * x0 + sigma * epsilon;
    for (const Prediction from : kinds) {
      for (const Prediction to : kinds) {
        const LinearMap map = convert(from, to, abar);
        const double expected = named(to, alpha, sigma, x0, epsilon);
        EXPECT_NEAR(map.on_state * x + map.on_prediction * named(from, alpha, sigma, x0, epsilon), expected,
                    1e-11 * (1 + std::abs(expected)))
            << static_cast<int>(from) << " to " << static_cast<int>(to) << " at abar = " << abar;
      }
    }
  }
}

TEST(PredictionConversion, KnowsTheNamesOfDiffusers) {
  EXPECT_EQ(prediction_from_name("epsilon"), Prediction::epsilon);
  EXPECT_EQ(prediction_from_name("sample"), Prediction::sample);
  EXPECT_EQ(prediction_from_name("score"), Prediction::score);
  EXPECT_EQ(prediction_from_name("v_prediction"), Prediction::v_prediction);
  EXPECT_THROW(prediction_from_name("noise"), Error);
}

TEST(PredictionConversion, RefusesTheEndsWhereItIsUndefined) {
  EXPECT_THROW(convert(Prediction::epsilon, Prediction::score, 1), Error);
  EXPECT_THROW(convert(Prediction::epsilon, Prediction::sample, 0), Error);
}

} // namespace
} // namespace scoreact
