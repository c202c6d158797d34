#include "parallel/tree_sum.hpp"

#include "error/error.hpp"
#include "kernels/normal_noise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace scoreact {
namespace {

constexpr std::size_t kLength = 5;

/// Leaves of very different sizes, so that another order of additions has other bits.
std::vector<float> leaf(long number) {
  std::vector<float> values;
  for (std::size_t e = 0; e < kLength; ++e) {
    const double u =
        kernels::normal_at({3, 0, 0, kernels::Purpose::reference}, number, static_cast<std::uint32_t>(e));
    values.push_back(static_cast<float>(u * std::pow(10.0, static_cast<double>(number % 7) - 3)));
  }
  return values;
}

std::vector<float> added(std::vector<float> left, const std::vector<float>& right) {
  for (std::size_t e = 0; e < right.size(); ++e)
    left[e] += right[e];
  return left;
}

/// The tree of the header, written down plainly: node (level, index) covers leaves [index 2^level, ...).
std::vector<float> node(long leaves, long level, long index) {
  if (level == 0)
    return leaf(index);
  const long right = 2 * index + 1;
  const auto left_sum = node(leaves, level - 1, 2 * index);
  return (right << (level - 1)) < leaves ? added(left_sum, node(leaves, level - 1, right)) : left_sum;
}

std::vector<float> serial_tree(long leaves) {
  long level = 0;
  while ((1L << level) < leaves)
    ++level;
  return node(leaves, level, 0);
}

/// Ends of the ranks' ranges of `leaves` leaves.
using Split = std::vector<long>;
std::vector<Split> splits(long leaves, int ranks) {
  Split even, front, back, skewed;
  for (int r = 1; r <= ranks; ++r) {
    even.push_back(leaves * r / ranks);
    front.push_back(leaves);                 // rank 0 has all
    back.push_back(r == ranks ? leaves : 0); // the last rank has all
    skewed.push_back(r == ranks ? leaves : std::min(leaves, static_cast<long>(r * r)));
  }
  return {even, front, back, skewed};
}

TEST(TreeSum, HasTheBitsOfTheSerialTreeForAnySplit) {
  const Communicator ranks;
  bool order_matters = false;
  for (const long leaves :
       {1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 11L, 13L, 16L, 17L, 23L, 31L, 32L, 33L, 50L}) {
    const std::vector<float> expected = serial_tree(leaves);
    std::vector<float> in_turn(kLength, 0.0F);
    for (long i = 0; i < leaves; ++i)
      in_turn = added(in_turn, leaf(i));
    order_matters = order_matters || in_turn != expected;
    for (const Split& split : splits(leaves, ranks.size())) {
      const auto r = static_cast<std::size_t>(ranks.rank());
      const long first = r == 0 ? 0 : split[r - 1], count = split[r] - first;
      TreeSum sum(ranks, leaves, first, count, kLength);
      for (long i = first; i < first + count; ++i)
        sum.add(leaf(i).data());
      std::vector<float> total(kLength, -1.0F);
      sum.finish(total.data());
      EXPECT_EQ(std::memcmp(total.data(), expected.data(), kLength * sizeof(float)), 0)
          << leaves << " leaves, " << count << " of them from " << first << " here";
    }
  }
  EXPECT_TRUE(order_matters) << "the leaves are too tame to tell orders apart";
}

TEST(TreeSum, MissesNoLeafSilently) {
  const Communicator ranks;
  TreeSum sum(ranks, 2L * ranks.size(), 2L * ranks.rank(), 2, kLength);
  sum.add(leaf(0).data());
  std::vector<float> total(kLength);
  EXPECT_THROW(sum.finish(total.data()), Error); // on every rank before anything is sent
}

TEST(Communicator, GathersBlocksInRankOrderAlsoEmptyOnes) {
  const Communicator ranks;
  const int rank = ranks.rank(), size = ranks.size();
  const auto block_of = [](int r) { // 0, 1, 2, 0, ... numbers
    std::vector<double> block;
    for (int i = 0; i < r % 3; ++i)
      block.push_back(10.0 * r + i);
    return block;
  };
  std::vector<double> expected;
  for (int r = 0; r < size; ++r)
    for (const double v : block_of(r))
      expected.push_back(v);
  EXPECT_EQ(ranks.gather_in_order(block_of(rank)), expected);
}

TEST(Communicator, SumsAndBroadcasts) {
  const Communicator ranks;
  float values[2] = {static_cast<float>(ranks.rank() + 1), 0.5F};
  ranks.sum(values, 2);
  const int n = ranks.size();
  const int of_all = n * (n + 1) / 2;
  EXPECT_EQ(values[0], static_cast<float>(of_all));
  EXPECT_EQ(values[1], 0.5F * static_cast<float>(n));
  EXPECT_EQ(ranks.maximum(ranks.rank() == n - 1 ? 7.0 : -1.0), 7.0);
  std::string text = ranks.root() ? "from rank 0" : "";
  ranks.broadcast(text);
  EXPECT_EQ(text, "from rank 0");
}

} // namespace
} // namespace scoreact
