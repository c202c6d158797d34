#pragma once
/// Byte-pair encoding: neighbours of a word are merged, the pair of the lowest rank first and of equal ones
/// the leftmost, until no pair has a rank (Sennrich et al. 2016, arXiv:1508.07909, algorithm 1).
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace scoreact {

class BytePairs {
 public:
  /// Ranks are given in the order of the calls. A pair that is there already keeps its rank.
  void add(std::int64_t first, std::int64_t second, std::int64_t merged);
  std::size_t size() const { return merges_.size(); }

  /// The ids of a word's symbols, merged. n log n for n symbols.
  std::vector<std::int64_t> merged(const std::vector<std::int64_t>& symbols) const;

 private:
  struct Merge {
    std::size_t rank;
    std::int64_t merged;
  };
  const Merge* find(std::int64_t first, std::int64_t second) const;

  std::unordered_map<std::uint64_t, Merge> merges_; ///< by both ids, 32 bits each
};

} // namespace scoreact
