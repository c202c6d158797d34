#pragma once
/// The tokenizer of BERT (uncased) and of ImageReward's text tower: BasicTokenizer and WordPiece as
/// transformers' BertTokenizer computes them (Devlin et al. 2019; Wu et al. 2016, arXiv:1609.08144):
///   special tokens out; control characters out; CJK ideographs apart; lower case; accents off (NFD, no Mn);
///   punctuation apart; the longest known piece of each word first, later pieces with ## in front.
/// One object may be used by several threads.
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/special_tokens.hpp"

namespace scoreact {

/// Ids of a text and which of them are not padding (1, else 0); the same length.
struct MaskedIds {
  std::vector<std::int64_t> ids, mask;
};

class WordPieceTokenizer {
 public:
  /// `vocabulary`: vocab.txt, a token a line, its id the line's number from 0. It holds [UNK], [CLS], [SEP]
  /// and [PAD]. `added`: tokens that get the ids behind it and that a text may name as it may the special
  /// ones (ImageReward: [DEC], [ENC]). Throws Error{missing_input | data}.
  explicit WordPieceTokenizer(const std::string& vocabulary, const std::vector<std::string>& added = {});
  /// The same from the file's content; `origin` begins messages.
  static WordPieceTokenizer of_lines(std::string_view lines, const std::string& origin,
                                     const std::vector<std::string>& added = {});

  /// [CLS], text, [SEP], then [PAD]: `length` ids. A text that is too long loses its last tokens and keeps
  /// [SEP]. length >= 2.
  MaskedIds encode(std::string_view text, long length) const;
  /// The ids of the text alone, all of them. Bytes that are not UTF-8 are read as U+FFFD, which is dropped.
  std::vector<std::int64_t> ids(std::string_view text) const;

  std::size_t size() const { return vocabulary_.size(); } ///< tokens

 private:
  WordPieceTokenizer() = default;
  void set_vocabulary(std::string_view lines, const std::string& origin,
                      const std::vector<std::string>& added);
  std::int64_t special(const std::string& token, const std::string& file);
  void append_plain(std::u32string_view text, std::vector<std::int64_t>& ids) const;
  void append_word(std::u32string_view word, std::vector<std::int64_t>& ids) const;

  std::unordered_map<std::string, std::int64_t> vocabulary_;
  std::vector<SpecialToken> special_;
  std::int64_t unknown_ = 0, start_ = 0, end_ = 0, pad_ = 0;
};

} // namespace scoreact
