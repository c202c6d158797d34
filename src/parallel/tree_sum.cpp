#include "parallel/tree_sum.hpp"

#include "error/error.hpp"

#include <algorithm>

#include <map>
#include <utility>

namespace scoreact {

namespace {

void add_to(std::vector<float>& left, const float* right) {
  float* sum = left.data();
  const std::size_t length = left.size();
  for (std::size_t i = 0; i < length; ++i)
    sum[i] += right[i];
}

/// Sum of node (level, index) from the maximal nodes; nullptr result (empty) where no leaf lies below.
std::vector<float> node_sum(std::map<std::pair<long, long>, std::vector<float>>& known, long leaves,
                            long level, long index) {
  if ((index << level) >= leaves)
    return {};
  if (const auto found = known.find({level, index}); found != known.end())
    return std::move(found->second);
  SCOREACT_REQUIRE(level > 0, ExitCode::internal, "tree sum: leaf {} of {} is missing", index, leaves);
  std::vector<float> left = node_sum(known, leaves, level - 1, 2 * index);
  const std::vector<float> right = node_sum(known, leaves, level - 1, 2 * index + 1);
  if (!right.empty())
    add_to(left, right.data());
  return left;
}

bool is_power_of_two(long number) { return number > 0 && (number & (number - 1)) == 0; }

/// Whether every rank, in order, holds one node of the same level, and together they are the whole tree.
/// `ranges`: first leaf and number of leaves of each rank.
bool one_equal_node_each(const std::vector<double>& ranges, long leaves) {
  const long ranks = static_cast<long>(ranges.size() / 2), each = static_cast<long>(ranges[1]);
  bool equal = is_power_of_two(ranks) && is_power_of_two(each) && leaves == ranks * each;
  for (long r = 0; r < ranks; ++r) {
    const auto at = static_cast<std::size_t>(2 * r);
    equal = equal && static_cast<long>(ranges[at]) == r * each && static_cast<long>(ranges[at + 1]) == each;
  }
  return equal;
}

/// Sends `mine` to another rank that sends its own; all ranks call at the same time.
void swap_with(const Communicator& ranks, int partner, const std::vector<float>& mine,
               std::vector<float>& theirs) {
  constexpr std::size_t kChunk = std::size_t{1} << 28; // MPI counts are ints
  for (std::size_t start = 0; start < mine.size(); start += kChunk) {
    const auto length = static_cast<int>(std::min(kChunk, mine.size() - start));
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    SCOREACT_CHECK_MPI(
        MPI_Irecv(theirs.data() + start, length, MPI_FLOAT, partner, 0, ranks.handle(), &requests[0]));
    SCOREACT_CHECK_MPI(
        MPI_Isend(mine.data() + start, length, MPI_FLOAT, partner, 0, ranks.handle(), &requests[1]));
    const auto done = [&requests] {
      int both = 0;
      SCOREACT_CHECK_MPI(MPI_Testall(2, requests, &both, MPI_STATUSES_IGNORE));
      return both != 0;
    };
    ranks.wait_until(done, "exchange of gradients");
  }
}

} // namespace

std::vector<std::pair<long, long>> maximal_nodes(long first, long count) {
  std::vector<std::pair<long, long>> nodes;
  const long end = first + count;
  while (first < end) {
    long level = 0;
    while (first % (2L << level) == 0 && first + (2L << level) <= end)
      ++level;
    nodes.emplace_back(level, first >> level);
    first += 1L << level;
  }
  return nodes;
}

TreeSum::TreeSum(const Communicator& ranks, long leaves, long first, long count, std::size_t length)
    : ranks_(ranks), leaves_(leaves), first_(first), count_(count), length_(length) {}

void TreeSum::add(const float* leaf) {
  Node node{0, first_ + added_, std::vector<float>(leaf, leaf + length_)};
  ++added_;
  while (node.index % 2 == 1 && !nodes_.empty() && nodes_.back().level == node.level &&
         nodes_.back().index == node.index - 1) {
    Node left = std::move(nodes_.back());
    nodes_.pop_back();
    add_to(left.sum, node.sum.data());
    node = {node.level + 1, left.index / 2, std::move(left.sum)};
  }
  nodes_.push_back(std::move(node));
}

void TreeSum::finish(float* out) {
  SCOREACT_REQUIRE(added_ == count_, ExitCode::internal, "tree sum: {} of {} leaves were added", added_,
                   count_);
  std::map<std::pair<long, long>, std::vector<float>> known;
  if (ranks_.size() == 1) {
    for (Node& node : nodes_)
      known[{node.level, node.index}] = std::move(node.sum);
  } else {
    const std::vector<double> ranges =
        ranks_.gather_in_order({static_cast<double>(first_), static_cast<double>(count_)});
    if (one_equal_node_each(ranges, leaves_)) { // up the tree, level by level, each with the node beside it
      std::vector<float>& sum = nodes_.front().sum;
      std::vector<float> beside(length_);
      for (int distance = 1; distance < ranks_.size(); distance *= 2) {
        swap_with(ranks_, ranks_.rank() ^ distance, sum, beside);
        add_to(sum, beside.data()); // left + right and right + left are the same bits
      }
      std::copy(sum.begin(), sum.end(), out);
      return;
    }
    std::size_t most = 0;
    for (std::size_t r = 0; 2 * r < ranges.size(); ++r)
      most = std::max(
          most, maximal_nodes(static_cast<long>(ranges[2 * r]), static_cast<long>(ranges[2 * r + 1])).size());
    for (std::size_t slot = 0; slot < most; ++slot) {
      const std::vector<float> empty(slot < nodes_.size() ? 0 : length_, 0.0F);
      const std::vector<float> all =
          ranks_.gather_floats(slot < nodes_.size() ? nodes_[slot].sum.data() : empty.data(), length_);
      for (std::size_t r = 0; 2 * r < ranges.size(); ++r) {
        const auto theirs =
            maximal_nodes(static_cast<long>(ranges[2 * r]), static_cast<long>(ranges[2 * r + 1]));
        if (slot < theirs.size())
          known[theirs[slot]].assign(all.begin() + static_cast<long>(r * length_),
                                     all.begin() + static_cast<long>((r + 1) * length_));
      }
    }
  }
  long level = 0;
  while ((1L << level) < leaves_)
    ++level;
  const std::vector<float> total = node_sum(known, leaves_, level, 0);
  std::copy(total.begin(), total.end(), out);
}

} // namespace scoreact
