// The verdict of a row of `scoreact verify`.
#include "verification/check_row.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace scoreact::verification {
namespace {

TEST(CheckRow, CountsTheDifferenceInStandardErrors) {
  const CheckRow row{"", 1.3, 1.0, 0.1, 0};
  EXPECT_NEAR(row.z(), 3.0, 1e-12);
  EXPECT_TRUE(row.pass());
  EXPECT_FALSE((CheckRow{"", 1.5, 1.0, 0.1, 0}).pass());
}

TEST(CheckRow, AllowsRoundingOfFloat32AndNoMore) {
  EXPECT_TRUE((CheckRow{"", 2.0 + 3e-6, 2.0, 0, 1}).pass());
  EXPECT_FALSE((CheckRow{"", 2.0 + 5e-6, 2.0, 0, 1}).pass());
}

TEST(CheckRow, PassesEqualNumbersWithoutAnyError) {
  EXPECT_TRUE((CheckRow{"", 0, 0, 0, 0}).pass());
  EXPECT_FALSE((CheckRow{"", 1e-300, 0, 0, 0}).pass());
}

TEST(CheckRow, FailsWhatIsNotANumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE((CheckRow{"", nan, 1, 0.1, 1}).pass());
  EXPECT_FALSE((CheckRow{"", 1, 1.5, nan, 1}).pass());
}

TEST(MeanAndError, IsThatOfIndependentNumbers) {
  const MeanError result = mean_and_error({1, 2, 3, 6});
  EXPECT_DOUBLE_EQ(result.mean, 3);
  EXPECT_NEAR(result.standard_error, std::sqrt(14.0 / (4 * 3)), 1e-12);
}

} // namespace
} // namespace scoreact::verification
