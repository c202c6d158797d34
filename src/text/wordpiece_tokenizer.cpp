#include "text/wordpiece_tokenizer.hpp"

#include <algorithm>
#include <optional>

#include "error/error.hpp"
#include "store/mapped_file.hpp"
#include "text/unicode.hpp"

namespace scoreact {
namespace {

constexpr std::size_t kLongestWord = 100; // characters; longer ones are [UNK]

bool is_ideograph(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B73F) ||
         (code >= 0x2B740 && code <= 0x2B81F) || (code >= 0x2B820 && code <= 0x2CEAF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

/// ASCII symbols such as $ and ^ count too, whatever their category.
bool splits_words(char32_t code) {
  return (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) ||
         (code >= 123 && code <= 126) || unicode::is_punctuation(code);
}

bool is_line_space(char32_t code) { return code == U'\t' || code == U'\n' || code == U'\r'; }

/// Without control characters, white space as blanks, ideographs between blanks, in lower case without
/// accents.
std::u32string cleaned(std::u32string_view text) {
  std::u32string spaced;
  for (const char32_t code : text) {
    if (is_line_space(code) || unicode::is_white_space(code)) {
      // U+0085 and its like are white space and control characters: out, as those are
      if (is_line_space(code) || !unicode::is_other(code)) {
        spaced += U' ';
      }
    } else if (is_ideograph(code)) {
      spaced += U' ';
      spaced += code;
      spaced += U' ';
    } else if (code != 0xFFFD && !unicode::is_other(code)) {
      spaced += code;
    }
  }
  std::u32string result = unicode::nfd(unicode::lower(spaced));
  std::erase_if(result, unicode::is_nonspacing_mark);
  return result;
}

} // namespace

WordPieceTokenizer::WordPieceTokenizer(const std::string& vocabulary, const std::vector<std::string>& added) {
  const MappedFile file(vocabulary);
  set_vocabulary({file.data(), file.size()}, vocabulary, added);
}

WordPieceTokenizer WordPieceTokenizer::of_lines(std::string_view lines, const std::string& origin,
                                                const std::vector<std::string>& added) {
  WordPieceTokenizer tokenizer;
  tokenizer.set_vocabulary(lines, origin, added);
  return tokenizer;
}

void WordPieceTokenizer::set_vocabulary(std::string_view lines, const std::string& origin,
                                        const std::vector<std::string>& added) {
  std::int64_t next = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    vocabulary_.insert_or_assign(std::string(line), next++);
  }
  for (const std::string& token : added) {
    if (vocabulary_.try_emplace(token, next).second) {
      ++next;
    }
  }
  unknown_ = special("[UNK]", origin);
  start_ = special("[CLS]", origin);
  end_ = special("[SEP]", origin);
  pad_ = special("[PAD]", origin);
  if (vocabulary_.contains("[MASK]")) {
    special("[MASK]", origin);
  }
  for (const std::string& token : added) {
    special(token, origin);
  }
}

std::int64_t WordPieceTokenizer::special(const std::string& token, const std::string& file) {
  const auto found = vocabulary_.find(token);
  SCOREACT_REQUIRE(found != vocabulary_.end(), ExitCode::data,
                   "{}: expected the vocabulary of a BERT model, a token a line; there is no {}", file,
                   token);
  special_.push_back({unicode::from_utf8(token), found->second});
  return found->second;
}

void WordPieceTokenizer::append_word(std::u32string_view word, std::vector<std::int64_t>& ids) const {
  const std::size_t before = ids.size();
  std::size_t begin = 0;
  while (begin < word.size() && word.size() <= kLongestWord) {
    std::size_t end = word.size();
    std::optional<std::int64_t> longest;
    for (; end > begin; --end) {
      const std::string piece = (begin > 0 ? "##" : "") + unicode::to_utf8(word.substr(begin, end - begin));
      if (const auto found = vocabulary_.find(piece); found != vocabulary_.end()) {
        longest = found->second;
        break;
      }
    }
    if (!longest) {
      break;
    }
    ids.push_back(*longest);
    begin = end;
  }
  if (begin < word.size()) { // one piece is not known, or the word is too long: nothing of it stays
    ids.resize(before);
    ids.push_back(unknown_);
  }
}

void WordPieceTokenizer::append_plain(std::u32string_view text, std::vector<std::int64_t>& ids) const {
  const std::u32string clean = cleaned(text);
  const std::u32string_view view = clean;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= view.size(); ++i) {
    const bool inside = i < view.size() && !unicode::is_white_space(view[i]) && !splits_words(view[i]);
    if (inside) {
      continue;
    }
    if (i > begin) {
      append_word(view.substr(begin, i - begin), ids);
    }
    if (i < view.size() && splits_words(view[i])) {
      append_word(view.substr(i, 1), ids);
    }
    begin = i + 1;
  }
}

std::vector<std::int64_t> WordPieceTokenizer::ids(std::string_view text) const {
  std::vector<std::int64_t> ids;
  const std::u32string codes = unicode::from_utf8(text);
  for (const TextPart& part : split_at(codes, special_)) {
    if (part.token != nullptr) {
      ids.push_back(part.token->id);
    } else {
      append_plain(part.text, ids);
    }
  }
  return ids;
}

MaskedIds WordPieceTokenizer::encode(std::string_view text, long length) const {
  SCOREACT_REQUIRE(length >= 2, ExitCode::internal, "a text of {} tokens has no room for [CLS] and [SEP]",
                   length);
  const auto room = static_cast<std::size_t>(length);
  MaskedIds result;
  result.ids = ids(text);
  result.ids.resize(std::min(result.ids.size(), room - 2));
  result.ids.insert(result.ids.begin(), start_);
  result.ids.push_back(end_);
  result.mask.assign(result.ids.size(), 1);
  result.ids.resize(room, pad_);
  result.mask.resize(room, 0);
  return result;
}

} // namespace scoreact
