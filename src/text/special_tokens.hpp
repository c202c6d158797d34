#pragma once
/// Tokens that a text may name literally, such as <|endoftext|> or [SEP]: they are found before the text is
/// split, and become one id each.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace scoreact {

struct SpecialToken {
  std::u32string text; ///< not empty
  std::int64_t id = 0;
};

/// A part of a text: ordinary, or one special token.
struct TextPart {
  std::u32string_view text;
  const SpecialToken* token = nullptr; ///< null: ordinary
};

/// Splits at special tokens: the leftmost first, the longest of those that begin there. The parts are views
/// of `text` and pointers into `tokens`, and their texts put together are `text`.
std::vector<TextPart> split_at(std::u32string_view text, const std::vector<SpecialToken>& tokens);

} // namespace scoreact
