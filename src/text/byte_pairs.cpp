#include "text/byte_pairs.hpp"

#include <functional>
#include <queue>
#include <tuple>

namespace scoreact {
namespace {

std::uint64_t pair_key(std::int64_t first, std::int64_t second) {
  return static_cast<std::uint64_t>(first) << 32 | static_cast<std::uint32_t>(second);
}

/// A symbol of a word in a list by position; one that was merged into its left neighbour is dead.
struct Symbol {
  std::int64_t id;
  std::size_t previous, next;
  bool alive;
};

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

} // namespace

void BytePairs::add(std::int64_t first, std::int64_t second, std::int64_t merged) {
  merges_.try_emplace(pair_key(first, second), Merge{merges_.size(), merged});
}

const BytePairs::Merge* BytePairs::find(std::int64_t first, std::int64_t second) const {
  const auto found = merges_.find(pair_key(first, second));
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<std::int64_t> BytePairs::merged(const std::vector<std::int64_t>& symbols) const {
  std::vector<Symbol> word;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    word.push_back({symbols[i], i == 0 ? kNone : i - 1, i + 1 == symbols.size() ? kNone : i + 1, true});
  }
  // (rank, position of the first, id it would give); entries that a merge has overtaken are passed over
  using Candidate = std::tuple<std::size_t, std::size_t, std::int64_t>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](std::size_t first) {
    if (first == kNone || word[first].next == kNone) {
      return;
    }
    if (const Merge* merge = find(word[first].id, word[word[first].next].id)) {
      candidates.emplace(merge->rank, first, merge->merged);
    }
  };
  for (std::size_t i = 0; i < word.size(); ++i) {
    consider(i);
  }
  while (!candidates.empty()) {
    const auto [rank, first, id] = candidates.top();
    candidates.pop();
    Symbol& left = word[first];
    const Merge* merge = left.alive && left.next != kNone ? find(left.id, word[left.next].id) : nullptr;
    if (merge == nullptr || merge->rank != rank) {
      continue;
    }
    Symbol& right = word[left.next];
    right.alive = false;
    left.id = id;
    left.next = right.next;
    if (left.next != kNone) {
      word[left.next].previous = first;
    }
    consider(left.previous);
    consider(first);
  }
  std::vector<std::int64_t> ids;
  for (const Symbol& symbol : word) {
    if (symbol.alive) {
      ids.push_back(symbol.id);
    }
  }
  return ids;
}

} // namespace scoreact
