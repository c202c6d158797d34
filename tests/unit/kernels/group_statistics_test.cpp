// Moments per group, and the promise that splitting and merging changes nothing.
#include "kernels/group_statistics.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace scoreact::kernels {
namespace {

struct Data {
  std::vector<double> values;
  std::vector<std::int32_t> group;
  explicit Data(int n) {
    std::mt19937 engine(8);
    std::normal_distribution<double> normal(1000,
                                            2); // a large mean: the naive sum of squares would lose digits
    for (int i = 0; i < n; ++i) {
      values.push_back(normal(engine));
      group.push_back(static_cast<std::int32_t>(engine() % 5));
    }
  }
  std::vector<Moments> moments(std::size_t begin, std::size_t end, long groups = 5) const {
    std::vector<Moments> out(static_cast<std::size_t>(groups), Moments{-1, -1, -1});
    const long n = static_cast<long>(end - begin);
    grouped_moments({}, Span<const double>{values.data() + begin, n},
                    Span<const std::int32_t>{group.data() + begin, n}, Span<Moments>{out.data(), groups});
    return out;
  }
};

TEST(GroupStatistics, MatchAPlainLoop) {
  const Data data(500);
  const auto moments = data.moments(0, 500);
  for (int g = 0; g < 5; ++g) {
    double count = 0, sum = 0, m2 = 0;
    for (std::size_t i = 0; i < 500; ++i) {
      count += data.group[i] == g;
      sum += data.group[i] == g ? data.values[i] : 0;
    }
    for (std::size_t i = 0; i < 500; ++i) {
      m2 += data.group[i] == g ? (data.values[i] - sum / count) * (data.values[i] - sum / count) : 0;
    }
    EXPECT_EQ(moments[static_cast<std::size_t>(g)].count, count);
    EXPECT_NEAR(moments[static_cast<std::size_t>(g)].mean, sum / count, 1e-10);
    EXPECT_NEAR(moments[static_cast<std::size_t>(g)].m2, m2, 1e-8);
  }
}

TEST(GroupStatistics, AnySplitMergesToTheWhole) {
  const Data data(300);
  const auto whole = data.moments(0, 300);
  for (std::size_t first = 0; first <= 300; first += 37) {
    for (std::size_t second = first; second <= 300; second += 41) {
      const auto a = data.moments(0, first), b = data.moments(first, second), c = data.moments(second, 300);
      for (std::size_t g = 0; g < 5; ++g) {
        const Moments merged = merge(merge(a[g], b[g]), c[g]);
        EXPECT_EQ(merged.count, whole[g].count);
        EXPECT_NEAR(merged.mean, whole[g].mean, 1e-10);
        EXPECT_NEAR(merged.m2, whole[g].m2, 1e-8);
      }
    }
  }
}

TEST(GroupStatistics, LeaveOutValuesOfNoGroupAndZeroEmptyGroups) {
  Data data(4);
  data.group = {0, -1, 7, 0};
  const auto moments = data.moments(0, 4, 2);
  EXPECT_EQ(moments[0].count, 2);
  EXPECT_EQ(moments[1].count, 0);
  EXPECT_EQ(moments[1].mean, 0);
  EXPECT_EQ(moments[1].m2, 0);
}

} // namespace
} // namespace scoreact::kernels
