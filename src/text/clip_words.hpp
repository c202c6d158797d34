#pragma once
/// How CLIP cuts a normalised text into the words in which byte pairs are merged:
///   's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+
/// and the characters that its vocabulary writes bytes with.
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace scoreact {

/// The words of a text in NFC and lower case, views of it.
std::vector<std::u32string_view> clip_words(std::u32string_view text);

/// UTF-8 of the characters that stand for bytes 0 .. 255: bytes that print for themselves, the others as
/// U+0100, U+0101, ... in their order, so that no token holds a blank (bytes_to_unicode of GPT-2's encoder).
std::array<std::string, 256> byte_characters();
bool stands_for_itself(unsigned byte);

/// What marks the last symbol of a word.
inline constexpr std::string_view end_of_word = "</w>";

} // namespace scoreact
