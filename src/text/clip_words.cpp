#include "text/clip_words.hpp"

#include "text/unicode.hpp"

namespace scoreact {
namespace {

enum class Kind { space, letter, number, symbol };

Kind kind_of(char32_t code) {
  if (unicode::is_letter(code)) {
    return Kind::letter;
  }
  if (unicode::is_number(code)) {
    return Kind::number;
  }
  return unicode::is_white_space(code) ? Kind::space : Kind::symbol;
}

/// What the expression's first alternatives match at the start of `text`, in their order. The names of the
/// special tokens are taken apart again: the pre-tokenizer behind splits words from symbols once more.
std::size_t literal_length(std::u32string_view text) {
  static constexpr std::u32string_view kLiterals[] = {
      U"<|startoftext|>", U"<|endoftext|>", U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};
  for (const std::u32string_view literal : kLiterals) {
    if (text.starts_with(literal)) {
      return literal.size();
    }
  }
  return 0;
}

/// The length of the word at the start of `text`, which is not a space.
std::size_t word_length(std::u32string_view text) {
  const Kind kind = kind_of(text.front());
  if (kind == Kind::number) {
    return 1;
  }
  std::size_t length = 1;
  while (length < text.size() && kind_of(text[length]) == kind) {
    ++length;
  }
  return length;
}

} // namespace

std::vector<std::u32string_view> clip_words(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  while (!text.empty()) {
    if (kind_of(text.front()) == Kind::space) {
      text.remove_prefix(1);
      continue;
    }
    const std::size_t literal = literal_length(text);
    std::u32string_view piece = text.substr(0, literal > 0 ? literal : word_length(text));
    text.remove_prefix(piece.size());
    if (piece.front() != U'<') { // 's and its like are words as they are
      words.push_back(piece);
      continue;
    }
    while (!piece.empty()) {
      words.push_back(piece.substr(0, word_length(piece)));
      piece.remove_prefix(words.back().size());
    }
  }
  return words;
}

bool stands_for_itself(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

std::array<std::string, 256> byte_characters() {
  std::array<std::string, 256> characters;
  char32_t other = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char32_t code = stands_for_itself(byte) ? static_cast<char32_t>(byte) : other++;
    characters[byte] = unicode::to_utf8({&code, 1});
  }
  return characters;
}

} // namespace scoreact
