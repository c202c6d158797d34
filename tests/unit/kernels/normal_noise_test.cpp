// Noise: right distribution, a pure function of its key, and independent of how a batch is split.
#include "kernels/normal_noise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace scoreact::kernels {
namespace {

using Fill = void (*)(Stream, NoiseKey, std::int64_t, Rows<float>);

std::vector<float> filled(Fill fill, NoiseKey key, std::int64_t first_sample, long samples, long elements) {
  std::vector<float> values(static_cast<std::size_t>(samples * elements), -99.0f);
  fill({}, key, first_sample, {values.data(), samples, elements});
  return values;
}

double mean_of_products(const std::vector<float>& a, const std::vector<float>& b, std::size_t shift) {
  double sum = 0;
  for (std::size_t i = 0; i + shift < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * b[i + shift];
  }
  return sum / static_cast<double>(a.size() - shift);
}

TEST(NormalNoise, HasTheMomentsOfAStandardNormal) {
  const auto noise =
      filled(normal_noise, {.seed = 12, .epoch = 3, .step = 5, .purpose = Purpose::action}, 0, 256, 4096);
  const double n = static_cast<double>(noise.size());
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, tail = 0;
  for (const double x : noise) {
    m1 += x / n;
    m2 += x * x / n;
    m3 += x * x * x / n;
    m4 += x * x * x * x / n;
    tail += std::fabs(x) > 3 ? 1 / n : 0;
  }
  // Four standard errors each: Var x = 1, Var x^2 = 2, Var x^3 = 15, Var x^4 = 96.
  EXPECT_NEAR(m1, 0, 4 * std::sqrt(1 / n));
  EXPECT_NEAR(m2, 1, 4 * std::sqrt(2 / n));
  EXPECT_NEAR(m3, 0, 4 * std::sqrt(15 / n));
  EXPECT_NEAR(m4, 3, 4 * std::sqrt(96 / n));
  const double beyond_three = std::erfc(3 / std::sqrt(2.0));
  EXPECT_NEAR(tail, beyond_three, 4 * std::sqrt(beyond_three / n));
}

TEST(NormalNoise, IsUncorrelatedBetweenElementsSamplesStepsEpochsAndPurposes) {
  const NoiseKey key{.seed = 7, .epoch = 1, .step = 2, .purpose = Purpose::brownian};
  const long samples = 64, elements = 1024;
  const auto noise = filled(normal_noise, key, 0, samples, elements);
  const double bound = 4 / std::sqrt(static_cast<double>(noise.size()));
  for (const std::size_t shift : {1, 2, 3, 4, 64, 1024}) {
    EXPECT_NEAR(mean_of_products(noise, noise, shift), 0, bound) << "shift " << shift;
  }
  for (const NoiseKey& other : {NoiseKey{7, 1, 3, Purpose::brownian}, NoiseKey{7, 2, 2, Purpose::brownian},
                                NoiseKey{7, 1, 2, Purpose::action}, NoiseKey{8, 1, 2, Purpose::brownian}}) {
    EXPECT_NEAR(mean_of_products(noise, filled(normal_noise, other, 0, samples, elements), 0), 0, bound);
  }
  EXPECT_NEAR(mean_of_products(noise, filled(normal_noise, key, std::int64_t{1} << 32, samples, elements), 0),
              0, bound);
}

TEST(NormalNoise, DoesNotDependOnHowRowsAreSplit) {
  const NoiseKey key{.seed = 0xfedcba9876543210u, .epoch = 4, .step = 9, .purpose = Purpose::initial_state};
  for (const long elements : {1L, 3L, 64L, 100L, 3072L}) {
    const std::int64_t first =
        (std::int64_t{1} << 32) - 3; // the split crosses the low word of the sample number
    const auto whole = filled(normal_noise, key, first, 7, elements);
    auto parts = filled(normal_noise, key, first, 2, elements);
    const auto rest = filled(normal_noise, key, first + 2, 5, elements);
    parts.insert(parts.end(), rest.begin(), rest.end());
    EXPECT_EQ(whole, parts) << elements << " elements";
  }
}

TEST(NormalNoise, StartsARowTheSameWhateverItsLength) {
  const NoiseKey key{.seed = 5};
  const auto longer = filled(normal_noise, key, 11, 1, 200), shorter = filled(normal_noise, key, 11, 1, 77);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
}

TEST(NormalNoise, AgreesWithADoublePrecisionLoop) {
  const NoiseKey key{.seed = 99, .epoch = 2, .step = 1, .purpose = Purpose::forward_noise};
  const long samples = 20, elements = 5000;
  const auto noise = filled(normal_noise, key, 40, samples, elements);
  double worst = 0;
  for (long r = 0; r < samples; ++r) {
    for (long e = 0; e < elements; ++e) {
      const double exact = normal_at(key, 40 + r, static_cast<std::uint32_t>(e));
      worst = std::max(worst, std::fabs(noise[static_cast<std::size_t>(r * elements + e)] - exact));
    }
  }
  EXPECT_LT(worst, 2e-6);
}

TEST(UniformNoise, HasTheMomentsOfAUniformAndStaysInTheUnitInterval) {
  const auto noise = filled(uniform_noise, {.seed = 3, .purpose = Purpose::time}, 0, 128, 4096);
  const double n = static_cast<double>(noise.size());
  double m1 = 0, m2 = 0;
  for (const double u : noise) {
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    m1 += u / n;
    m2 += u * u / n;
  }
  EXPECT_NEAR(m1, 0.5, 4 * std::sqrt(1 / 12.0 / n));
  EXPECT_NEAR(m2, 1 / 3.0, 4 * std::sqrt(4 / 45.0 / n));
}

TEST(UniformNoise, IsTheHostFunctionCutTo24Bits) {
  const NoiseKey key{.seed = 21, .epoch = 6, .step = 7, .purpose = Purpose::prompt};
  const auto noise = filled(uniform_noise, key, 5, 3, 70);
  for (long r = 0; r < 3; ++r) {
    for (long e = 0; e < 70; ++e) {
      const double exact = uniform_at(key, 5 + r, static_cast<std::uint32_t>(e));
      EXPECT_EQ(noise[static_cast<std::size_t>(r * 70 + e)], std::floor(exact * 0x1p24) * 0x1p-24);
    }
  }
}

TEST(NormalNoise, AcceptsEmptyArraysAndRefusesAStepThatDoesNotFit) {
  normal_noise({}, {}, 0, {nullptr, 0, 5});
  normal_noise({}, {}, 0, {nullptr, 5, 0});
  EXPECT_THROW(normal_noise({}, {.seed = 0, .epoch = 0, .step = 1u << 24}, 0, {nullptr, 0, 0}),
               std::invalid_argument);
}

} // namespace
} // namespace scoreact::kernels
