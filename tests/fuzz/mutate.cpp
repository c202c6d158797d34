#include "fuzz/mutate.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace scoreact::fuzz {

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }

 private:
  std::uint64_t state_;
};

constexpr std::array<std::uint64_t, 14> kNumbers{0,           1,           2,          0x7f,
                                                 0x80,        0xff,        0x7fffffff, 0x80000000,
                                                 0xffffffffu, 0x100000000, 0xfffffff0, 0x7fffffffffffffff,
                                                 1ull << 63,  ~0ull};

constexpr std::array<std::string_view, 28> kWords{"0",
                                                  "-1",
                                                  "1e308",
                                                  "1e999",
                                                  "nan",
                                                  "inf",
                                                  "-inf",
                                                  "9223372036854775807",
                                                  "9223372036854775808",
                                                  "18446744073709551615",
                                                  "4e18",
                                                  "0.5",
                                                  "true",
                                                  "null",
                                                  "[",
                                                  "]",
                                                  "{",
                                                  "}",
                                                  "\"",
                                                  ",",
                                                  ":",
                                                  "=",
                                                  "\n",
                                                  "[[[[[[[",
                                                  "\\u0000",
                                                  "\xff",
                                                  "\xc3\xa9",
                                                  std::string_view("\0", 1)};

void change(std::string& text, const std::vector<std::string>& corpus, Random& random) {
  const std::size_t at = random.below(text.size());
  const std::size_t piece = 1 + random.below(std::min<std::size_t>(text.size() - at, 64));
  switch (random.below(9)) {
  case 0:
    text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
    break;
  case 1:
    text[at] = static_cast<char>(random.next());
    break;
  case 2: { // a little-endian number of 1, 2, 4 or 8 bytes
    const std::uint64_t number = kNumbers[random.below(kNumbers.size())];
    std::memcpy(text.data() + at, &number, std::min(std::size_t{1} << random.below(4), text.size() - at));
    break;
  }
  case 3: // a number a little larger or smaller
    text[at] = static_cast<char>(text[at] + static_cast<int>(random.below(17)) - 8);
    break;
  case 4:
    text.erase(at, piece);
    break;
  case 5:
    text.insert(random.below(text.size()), std::string(text, at, piece));
    break;
  case 6:
    text.insert(at, kWords[random.below(kWords.size())]);
    break;
  case 7: {
    const std::string& other = corpus[random.below(corpus.size())];
    if (!other.empty()) {
      const std::size_t from = random.below(other.size());
      text.replace(at, piece, other, from, 1 + random.below(64));
    }
    break;
  }
  default: // seldom, because little is left of what was before
    if (random.below(4) == 0)
      text.resize(at);
  }
}

} // namespace

std::string mutated(const std::vector<std::string>& corpus, std::uint64_t number) {
  Random random(number);
  std::string text = corpus[random.below(corpus.size())];
  for (std::size_t changes = 1 + random.below(8); changes > 0; --changes) {
    if (text.empty())
      text = "\n";
    change(text, corpus, random);
  }
  return text;
}

} // namespace scoreact::fuzz
