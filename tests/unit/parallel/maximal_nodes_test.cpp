#include "parallel/tree_sum.hpp"

#include <gtest/gtest.h>

namespace scoreact {
namespace {

using Nodes = std::vector<std::pair<long, long>>;

TEST(MaximalNodes, OfKnownRanges) {
  EXPECT_EQ(maximal_nodes(0, 0), Nodes{});
  EXPECT_EQ(maximal_nodes(0, 8), (Nodes{{3, 0}}));
  EXPECT_EQ(maximal_nodes(8, 8), (Nodes{{3, 1}}));
  EXPECT_EQ(maximal_nodes(3, 7), (Nodes{{0, 3}, {2, 1}, {1, 4}})); // 3, 4..7, 8..9
}

TEST(MaximalNodes, CoverTheRangeAndCannotBeJoined) {
  for (long first = 0; first < 40; ++first) {
    for (long count = 0; count < 40; ++count) {
      long next = first;
      for (const auto& [level, index] : maximal_nodes(first, count)) {
        EXPECT_EQ(index << level, next) << "a gap";
        next = (index + 1) << level;
        const long parent_first = (index / 2) << (level + 1), parent_end = (index / 2 + 1) << (level + 1);
        EXPECT_TRUE(parent_first < first || parent_end > first + count) << "its parent fits too";
      }
      EXPECT_EQ(next, first + count);
    }
  }
}

} // namespace
} // namespace scoreact
