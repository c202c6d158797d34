#include "text/unicode.hpp"

#include "text/unicode_tables.hpp"

#include <algorithm>
#include <unordered_map>

namespace scoreact::unicode {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

/// The entry of an ordered table that could hold `code`: the first whose last code point is not before it.
template <class Row> const Row* row_of(std::span<const Row> table, char32_t code) {
  const auto found =
      std::partition_point(table.begin(), table.end(), [code](const Row& row) { return row.last < code; });
  return found == table.end() || code < found->first ? nullptr : &*found;
}

const Decomposition* decomposition_of(char32_t code) {
  const auto found = std::partition_point(decompositions.begin(), decompositions.end(),
                                          [code](const Decomposition& row) { return row.code < code; });
  return found == decompositions.end() || found->code != code ? nullptr : &*found;
}

std::uint32_t combining_class(char32_t code) {
  const ClassRange* range = row_of(combining_classes, code);
  return range == nullptr ? 0 : range->value;
}

/// Hangul by arithmetic, Unicode standard 3.12.
namespace hangul {
constexpr char32_t kSyllables = 0xAC00, kLeading = 0x1100, kVowel = 0x1161, kTrailing = 0x11A7;
constexpr char32_t kLeadingCount = 19, kVowelCount = 21, kTrailingCount = 28;
constexpr char32_t kBlock = kVowelCount * kTrailingCount, kCount = kLeadingCount * kBlock;

void append(char32_t syllable, std::u32string& text) {
  const char32_t index = syllable - kSyllables;
  text += kLeading + index / kBlock;
  text += kVowel + index % kBlock / kTrailingCount;
  if (index % kTrailingCount != 0) {
    text += kTrailing + index % kTrailingCount;
  }
}

char32_t composed(char32_t first, char32_t second) {
  if (first >= kLeading && first < kLeading + kLeadingCount && second >= kVowel &&
      second < kVowel + kVowelCount) {
    return kSyllables + (first - kLeading) * kBlock + (second - kVowel) * kTrailingCount;
  }
  const bool open =
      first >= kSyllables && first < kSyllables + kCount && (first - kSyllables) % kTrailingCount == 0;
  return open && second > kTrailing && second < kTrailing + kTrailingCount ? first + (second - kTrailing) : 0;
}
} // namespace hangul

void append_decomposed(char32_t code, std::u32string& text) {
  if (code >= hangul::kSyllables && code < hangul::kSyllables + hangul::kCount) {
    hangul::append(code, text);
    return;
  }
  const Decomposition* row = decomposition_of(code);
  if (row == nullptr) {
    text += code;
    return;
  }
  append_decomposed(row->first, text);
  if (row->second != 0) {
    append_decomposed(row->second, text);
  }
}

/// first + second as one code point, 0 if there is none.
char32_t composed(char32_t first, char32_t second) {
  static const auto pairs = [] {
    std::unordered_map<std::uint64_t, char32_t> map;
    for (const Decomposition& row : decompositions) {
      if (row.composes != 0) {
        map.emplace(static_cast<std::uint64_t>(row.first) << 32 | row.second, row.code);
      }
    }
    return map;
  }();
  if (const char32_t syllable = hangul::composed(first, second); syllable != 0) {
    return syllable;
  }
  const auto found = pairs.find(static_cast<std::uint64_t>(first) << 32 | second);
  return found == pairs.end() ? 0 : found->second;
}

bool plain(std::u32string_view text, char32_t below) {
  return std::all_of(text.begin(), text.end(), [below](char32_t code) { return code < below; });
}

/// Bytes that follow the first one of a sequence, and the range of the second byte that excludes overlong
/// forms, surrogates and what lies beyond U+10FFFF (Unicode standard, table 3-7).
struct SequenceForm {
  int following;
  unsigned char low, high;
};

SequenceForm form_of(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF)
    return {1, 0x80, 0xBF};
  if (lead >= 0xE0 && lead <= 0xEF)
    return {2, static_cast<unsigned char>(lead == 0xE0 ? 0xA0 : 0x80),
            static_cast<unsigned char>(lead == 0xED ? 0x9F : 0xBF)};
  if (lead >= 0xF0 && lead <= 0xF4)
    return {3, static_cast<unsigned char>(lead == 0xF0 ? 0x90 : 0x80),
            static_cast<unsigned char>(lead == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

} // namespace

std::u32string from_utf8(std::string_view text) {
  std::u32string codes;
  codes.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) {
      codes += lead;
      continue;
    }
    const SequenceForm form = form_of(lead);
    char32_t code = lead & (0x3F >> form.following);
    int read = 0;
    for (; read < form.following && i < text.size(); ++read, ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte < (read == 0 ? form.low : 0x80) || byte > (read == 0 ? form.high : 0xBF)) {
        break;
      }
      code = code << 6 | (byte & 0x3F);
    }
    codes += form.following > 0 && read == form.following ? code : kReplacement;
  }
  return codes;
}

std::string to_utf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t code : text) {
    if (code < 0x80) {
      bytes += static_cast<char>(code);
    } else if (code < 0x800) {
      bytes += static_cast<char>(0xC0 | code >> 6);
      bytes += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      bytes += static_cast<char>(0xE0 | code >> 12);
      bytes += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      bytes += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      bytes += static_cast<char>(0xF0 | code >> 18);
      bytes += static_cast<char>(0x80 | (code >> 12 & 0x3F));
      bytes += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      bytes += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return bytes;
}

bool is_letter(char32_t code) { return row_of(letters, code) != nullptr; }
bool is_number(char32_t code) { return row_of(numbers, code) != nullptr; }
bool is_punctuation(char32_t code) { return row_of(punctuation, code) != nullptr; }
bool is_nonspacing_mark(char32_t code) { return row_of(nonspacing_marks, code) != nullptr; }
bool is_other(char32_t code) { return row_of(others, code) != nullptr; }

bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

std::u32string lower(std::u32string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (const char32_t code : text) {
    if (code == 0x130) { // the only one that becomes two: i and a dot above
      result += U"i\u0307";
      continue;
    }
    const LowerRun* run = row_of(lower_runs, code);
    const bool changes = run != nullptr && (code - run->first) % run->step == 0;
    result += changes ? static_cast<char32_t>(static_cast<std::int64_t>(code) + run->distance) : code;
  }
  return result;
}

std::u32string nfd(std::u32string_view text) {
  if (plain(text, 0xC0)) { // nothing below decomposes
    return std::u32string(text);
  }
  std::u32string result;
  result.reserve(text.size() + 8);
  for (const char32_t code : text) {
    append_decomposed(code, result);
  }
  for (std::size_t i = 0; i < result.size();) { // marks between two starters, by class
    if (combining_class(result[i]) == 0) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < result.size() && combining_class(result[end]) != 0) {
      ++end;
    }
    std::stable_sort(result.begin() + static_cast<std::ptrdiff_t>(i),
                     result.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    i = end;
  }
  return result;
}

std::u32string nfc(std::u32string_view text) {
  if (plain(text, 0x300)) { // composed, and no marks that could compose
    return std::u32string(text);
  }
  const std::u32string parts = nfd(text);
  std::u32string result;
  result.reserve(parts.size());
  std::size_t starter = std::u32string::npos; // where in `result`
  std::uint32_t previous = 0;                 // class of the last character that stayed behind the starter
  for (const char32_t code : parts) {
    const std::uint32_t own = combining_class(code);
    const bool adjacent = starter != std::u32string::npos && starter + 1 == result.size();
    const bool reaches = starter != std::u32string::npos && (adjacent || previous < own);
    if (const char32_t one = reaches ? composed(result[starter], code) : 0; one != 0) {
      result[starter] = one;
      continue;
    }
    if (own == 0) {
      starter = result.size();
    }
    previous = own;
    result += code;
  }
  return result;
}

} // namespace scoreact::unicode
