#include "text/special_tokens.hpp"

namespace scoreact {
namespace {

const SpecialToken* longest_prefix(std::u32string_view text, const std::vector<SpecialToken>& tokens) {
  const SpecialToken* longest = nullptr;
  for (const SpecialToken& token : tokens) {
    if (text.starts_with(token.text) && (longest == nullptr || token.text.size() > longest->text.size())) {
      longest = &token;
    }
  }
  return longest;
}

} // namespace

std::vector<TextPart> split_at(std::u32string_view text, const std::vector<SpecialToken>& tokens) {
  std::vector<TextPart> parts;
  std::size_t begin = 0, at = 0;
  const auto close = [&] {
    if (at > begin) {
      parts.push_back({text.substr(begin, at - begin), nullptr});
    }
  };
  while (at < text.size()) {
    const SpecialToken* token = longest_prefix(text.substr(at), tokens);
    if (token == nullptr) {
      ++at;
      continue;
    }
    close();
    parts.push_back({text.substr(at, token->text.size()), token});
    at += token->text.size();
    begin = at;
  }
  close();
  return parts;
}

} // namespace scoreact
