#pragma once
/// Tables of the Unicode character database, ordered by code point. What they mean to the tokenizers:
/// src/text/unicode.hpp.
#include <cstdint>
#include <span>

namespace scoreact::unicode {

/// Code points first..last.
struct Range {
  char32_t first, last;
};

/// first, first + step, ... last: lower case is `distance` further on.
struct LowerRun {
  char32_t first, last;
  std::uint32_t step;
  std::int32_t distance;
};

/// Canonical combining class of first..last; 0 where no range has the code point.
struct ClassRange {
  char32_t first, last;
  std::uint32_t value;
};

/// One canonical step: code = first second. Hangul syllables are not in the table.
struct Decomposition {
  char32_t code, first, second; ///< second 0: a singleton
  std::uint32_t composes;       ///< 1 if NFC puts first and second together
};

extern const std::span<const Range> letters, numbers, punctuation, nonspacing_marks, others;
extern const std::span<const LowerRun> lower_runs;
extern const std::span<const ClassRange> combining_classes;
extern const std::span<const Decomposition> decompositions;

} // namespace scoreact::unicode
