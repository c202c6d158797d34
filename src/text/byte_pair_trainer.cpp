#include "text/byte_pair_trainer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <queue>
#include <set>
#include <tuple>
#include <unordered_map>

#include "error/error.hpp"
#include "text/clip_vocabulary.hpp"
#include "text/clip_words.hpp"
#include "text/unicode.hpp"

namespace scoreact {
namespace {

using Pair = std::pair<long, long>;

struct Word {
  std::vector<long> symbols; ///< ids
  long count = 0;            ///< in all texts
};

/// The words of all texts as bytes, each with its number of occurrences; in a fixed order.
std::map<std::string, long> counted_words(const std::vector<std::string>& texts) {
  std::unordered_map<std::string, long> repeated; // captions come often: each is cut once
  for (const std::string& text : texts) {
    ++repeated[text];
  }
  std::map<std::string, long> counts;
  for (const auto& [text, count] : repeated) {
    const std::u32string normal = unicode::lower(unicode::nfc(unicode::from_utf8(text)));
    for (const std::u32string_view word : clip_words(normal)) {
      counts[unicode::to_utf8(word)] += count;
    }
  }
  return counts;
}

std::vector<Word> words_of(const std::vector<std::string>& texts, const std::vector<std::string>& tokens) {
  const std::array<std::string, 256> characters = byte_characters();
  std::unordered_map<std::string, long> ids;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    ids.emplace(tokens[id], static_cast<long>(id));
  }
  std::vector<Word> words;
  for (const auto& [bytes, count] : counted_words(texts)) {
    Word word{{}, count};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::string& character = characters[static_cast<unsigned char>(bytes[i])];
      word.symbols.push_back(
          ids.at(i + 1 == bytes.size() ? character + std::string(end_of_word) : character));
    }
    words.push_back(std::move(word));
  }
  return words;
}

/// How often each pair of neighbours stands in the words, and in which of them it may.
class PairCounts {
 public:
  explicit PairCounts(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      add(w, +1);
    }
    for (const auto& [pair, count] : counts_) {
      queue_.push({count, pair});
    }
  }

  /// The most frequent pair, and how often it stands; {0, ...} if there is none.
  std::pair<long, Pair> most_frequent() {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      const long now = counts_.at(best.pair);
      if (best.count == now) {
        return {now, best.pair};
      }
      queue_.pop(); // it has been entered again with every change of its count
    }
    return {0, {}};
  }

  void merge(const Pair& pair, long merged) {
    const std::set<std::size_t> holders = where_.at(pair); // a copy: merging changes it
    std::set<Pair> changed;
    for (const std::size_t w : holders) {
      for (const Pair& each : add(w, -1)) {
        changed.insert(each);
      }
      replace(words_[w].symbols, pair, merged);
      for (const Pair& each : add(w, +1)) {
        changed.insert(each);
      }
    }
    for (const Pair& each : changed) {
      queue_.push({counts_.at(each), each});
    }
  }

 private:
  struct Candidate {
    long count;
    Pair pair;
    bool operator<(const Candidate& other) const { // the queue's top is the largest
      return std::tie(count, other.pair) < std::tie(other.count, pair);
    }
  };

  /// Counts the word's pairs in or out; returns them.
  std::vector<Pair> add(std::size_t w, long sign) {
    const Word& word = words_[w];
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
      pairs.emplace_back(word.symbols[i], word.symbols[i + 1]);
      counts_[pairs.back()] += sign * word.count;
      if (sign > 0) {
        where_[pairs.back()].insert(w);
      }
    }
    return pairs;
  }

  /// From left to right: of three equal symbols the first two.
  static void replace(std::vector<long>& symbols, const Pair& pair, long merged) {
    std::vector<long> result;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool here = i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
      result.push_back(here ? merged : symbols[i]);
      i += here ? 1 : 0;
    }
    symbols = std::move(result);
  }

  std::vector<Word> words_;
  std::map<Pair, long> counts_;
  std::map<Pair, std::set<std::size_t>> where_;
  std::priority_queue<Candidate> queue_;
};

} // namespace

std::vector<std::pair<std::string, std::string>> learn_byte_pairs(const std::vector<std::string>& texts,
                                                                  long most) {
  // Every merge makes a new token: what stands between two ends of tokens is merged in the same way
  // everywhere.
  std::vector<std::string> tokens = clip_byte_tokens();
  PairCounts counts(words_of(texts, tokens));
  std::vector<std::pair<std::string, std::string>> merges;
  while (static_cast<long>(merges.size()) < most) {
    const auto [count, pair] = counts.most_frequent();
    if (count < 2) {
      break;
    }
    const std::string first = tokens[static_cast<std::size_t>(pair.first)];
    const std::string second = tokens[static_cast<std::size_t>(pair.second)];
    merges.emplace_back(first, second);
    counts.merge(pair, static_cast<long>(tokens.size()));
    tokens.push_back(first + second);
  }
  return merges;
}

long train_byte_pairs(const std::vector<std::string>& texts, long vocab_size, long max_length,
                      const std::filesystem::path& folder) {
  constexpr long bytes = 512, special = 2;
  SCOREACT_REQUIRE(
      vocab_size >= bytes + special, ExitCode::data,
      "a vocabulary of {} tokens is too small: expected at least {} for the bytes, inside and at the "
      "end of a word, and the two special tokens",
      vocab_size, bytes + special);
  const auto merges = learn_byte_pairs(texts, vocab_size - bytes - special);
  const long size = bytes + static_cast<long>(merges.size()) + special;
  write_clip_tokenizer(folder, merges, size, max_length);
  return size;
}

} // namespace scoreact
