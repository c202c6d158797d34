#pragma once
/// Sums equal-length float vectors ("leaves", one a micro-batch) over all ranks in the order of one fixed
/// binary tree over the leaves' global numbers, so that the bits of the result do not depend on how leaves
/// are dealt to ranks.
///
/// Node (level l, index i) covers leaves [i 2^l, (i+1) 2^l). A rank holds a contiguous range of leaves and
/// adds up every node that lies wholly inside it. Equal power-of-two shares are then exchanged between
/// neighbours level by level, log2(ranks) vectors a rank. Otherwise every rank gets the few maximal nodes of
/// all, and the rest of the tree is added on every rank alike.
#include "parallel/communicator.hpp"

#include <vector>

namespace scoreact {

class TreeSum {
 public:
  /// `leaves` in all; this rank adds leaves first .. first+count-1 in that order. `length` floats each.
  TreeSum(const Communicator&, long leaves, long first, long count, std::size_t length);
  /// Adds the next leaf of this rank.
  void add(const float* leaf);
  /// Exchanges the nodes; every rank gets the sum of all leaves in `out` [length]. All ranks must call.
  /// Throws Error{internal} if a leaf is missing.
  void finish(float* out);

 private:
  struct Node {
    long level, index;
    std::vector<float> sum;
  };
  const Communicator& ranks_;
  long leaves_, first_, count_, added_ = 0;
  std::size_t length_;
  std::vector<Node> nodes_;
};

/// The maximal tree nodes of the leaf range [first, first + count) as (level, index), left to right.
std::vector<std::pair<long, long>> maximal_nodes(long first, long count);

} // namespace scoreact
