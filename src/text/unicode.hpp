#pragma once
/// What tokenizers need of Unicode: UTF-8, categories, lower case, normal forms D and C. From tables that
/// src/text/make_unicode_tables.py writes; a code point that their version doesn't know belongs to no set but
/// `other`.
#include <string>
#include <string_view>

namespace scoreact::unicode {

/// UTF-8 -> code points. Each ill-formed sequence becomes one U+FFFD (Unicode standard 3.9, maximal
/// subparts), as when Python decodes with errors="replace".
std::u32string from_utf8(std::string_view text);
std::string to_utf8(std::u32string_view text);

bool is_letter(char32_t code);          ///< \p{L}
bool is_number(char32_t code);          ///< \p{N}
bool is_punctuation(char32_t code);     ///< \p{P}
bool is_nonspacing_mark(char32_t code); ///< \p{Mn}
bool is_other(char32_t code);           ///< \p{C}: control, format, surrogate, private use, not assigned
bool is_white_space(char32_t code);     ///< the property White_Space

/// Full lower case, character by character: no rule looks at the neighbours (a final sigma is as any other).
std::u32string lower(std::u32string_view text);

/// Canonical decomposition and composition (Unicode standard annex 15).
std::u32string nfd(std::u32string_view text);
std::u32string nfc(std::u32string_view text);

} // namespace scoreact::unicode
