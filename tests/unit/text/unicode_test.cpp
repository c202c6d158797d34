#include "text/unicode.hpp"

#include <gtest/gtest.h>

namespace scoreact::unicode {
namespace {

TEST(Unicode, Utf8ComesBackAsItWas) {
  const std::string text = "a\u00e9\u20ac\U0001f642\u0000b";
  EXPECT_EQ(to_utf8(from_utf8(text)), text);
  EXPECT_EQ(from_utf8("\xf0\x9f\x99\x82"), U"\U0001f642");
}

TEST(Unicode, IllFormedUtf8BecomesReplacementCharactersAsInPython) {
  // bytes.decode(errors="replace")
  EXPECT_EQ(from_utf8("a\xff z"), U"a\ufffd z");
  EXPECT_EQ(from_utf8("\xc0\x80"), U"\ufffd\ufffd");                     // overlong
  EXPECT_EQ(from_utf8("\xe0\x80\x80"), U"\ufffd\ufffd\ufffd");           // overlong
  EXPECT_EQ(from_utf8("\xed\xa0\x80"), U"\ufffd\ufffd\ufffd");           // a surrogate
  EXPECT_EQ(from_utf8("\xf4\x90\x80\x80"), U"\ufffd\ufffd\ufffd\ufffd"); // beyond U+10FFFF
  EXPECT_EQ(from_utf8("\xf0\x9f\x99"), U"\ufffd");                       // cut off: one maximal subpart
  EXPECT_EQ(from_utf8("\xe2\x82x"), U"\ufffdx");
  EXPECT_EQ(from_utf8("\x80"), U"\ufffd");
}

TEST(Unicode, Categories) {
  EXPECT_TRUE(is_letter(U'a') && is_letter(U'\u00e9') && is_letter(U'\u65e5') && is_letter(U'\U0001d400'));
  EXPECT_FALSE(is_letter(U'1') || is_letter(U'\u0301') || is_letter(U'_') || is_letter(U'\U0001f642'));
  EXPECT_TRUE(is_number(U'7') && is_number(U'\u00bd') && is_number(U'\u2163') && is_number(U'\u0663'));
  EXPECT_TRUE(is_punctuation(U'!') && is_punctuation(U'\u2014') && is_punctuation(U'\u00bf'));
  EXPECT_FALSE(is_punctuation(U'$') || is_punctuation(U'+')); // symbols
  EXPECT_TRUE(is_nonspacing_mark(U'\u0301'));
  EXPECT_TRUE(is_other(U'\u0000') && is_other(U'\u200b') && is_other(U'\u0378') && is_other(U'\ue000'));
  EXPECT_TRUE(is_white_space(U'\u00a0') && is_white_space(U'\u0085') && !is_white_space(U'\u200b'));
}

TEST(Unicode, LowerCase) {
  EXPECT_EQ(lower(U"HÉLLO ЖΣ 1"), U"héllo жσ 1");
  EXPECT_EQ(lower(U"\u0130"), U"i\u0307");
  EXPECT_EQ(lower(U"\u0100\u0101\u0178\u01c4\u1e9e"), U"\u0101\u0101\u00ff\u01c6\u00df");
}

TEST(Unicode, NormalForms) {
  EXPECT_EQ(nfc(U"e\u0301"), U"\u00e9");
  EXPECT_EQ(nfd(U"\u00e9"), U"e\u0301");
  EXPECT_EQ(nfc(U"\u212b"), U"\u00c5");             // a singleton
  EXPECT_EQ(nfc(U"\u0958"), U"\u0915\u093c");       // excluded from composition
  EXPECT_EQ(nfc(U"\u1112\u1161\u11ab"), U"\ud55c"); // Hangul
  EXPECT_EQ(nfd(U"\uac01\uac00"), U"\u1100\u1161\u11a8\u1100\u1161");
  EXPECT_EQ(nfc(U"\uac00\u11a8"), U"\uac01");
  EXPECT_EQ(nfc(U"a\u0327\u0301"), U"\u00e1\u0327");  // past a mark of a lower class
  EXPECT_EQ(nfd(U"a\u0301\u0327"), U"a\u0327\u0301"); // marks by class
  EXPECT_EQ(nfc(U"a\u0300\u0301"), U"\u00e0\u0301");  // blocked by a mark of the same class
  EXPECT_EQ(nfc(U"\u1e9b\u0323"), U"\u1e9b\u0323");
  EXPECT_EQ(nfc(U"\u0301a"), U"\u0301a");
}

} // namespace
} // namespace scoreact::unicode
