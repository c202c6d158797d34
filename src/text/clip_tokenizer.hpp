#pragma once
/// The tokenizer of CLIP and Stable Diffusion: byte-level BPE with </w> at the end of a word, as the fast
/// tokenizer of Hugging Face computes it (CLIPTokenizerFast of transformers 4, CLIPTokenizer of 5):
///   special tokens out; NFC; white space to one blank; lower case; split by
///   's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+; UTF-8 bytes as printable characters; merges.
/// One object may be used by several threads.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/byte_pairs.hpp"
#include "text/special_tokens.hpp"

namespace scoreact {

class ClipTokenizer {
 public:
  /// Reads the folder `tokenizer` of a model: vocab.json and merges.txt, or tokenizer.json alone; which
  /// tokens are special and how long a text may be from special_tokens_map.json and tokenizer_config.json
  /// if they are there. Throws Error{missing_input | data}.
  explicit ClipTokenizer(const std::string& folder);

  /// start, text, end, then padding: `length` ids. A text that is too long loses its last tokens and keeps
  /// the end. `pad`: the tokenizer's own unless given (openai/CLIP's tokenize pads with 0). length >= 2.
  std::vector<std::int64_t> encode(std::string_view text, long length,
                                   std::optional<std::int64_t> pad = std::nullopt) const;
  /// The ids of the text alone, all of them. Bytes that are not UTF-8 are read as U+FFFD.
  std::vector<std::int64_t> ids(std::string_view text) const;

  std::int64_t start() const { return start_; } ///< <|startoftext|>
  std::int64_t end() const { return end_; }     ///< <|endoftext|>
  std::int64_t pad() const { return pad_; }
  long max_length() const { return max_length_; } ///< model_max_length, 77 unless the folder says otherwise
  std::size_t size() const { return vocabulary_.size(); } ///< tokens

 private:
  struct Files;
  void set_bytes();
  void set_special_tokens(const Files& files);
  std::int64_t id_of(const std::string& token, const std::string& where) const;
  void append_word(std::u32string_view word, std::vector<std::int64_t>& ids) const;
  void append_plain(std::u32string_view text, std::vector<std::int64_t>& ids) const;

  std::unordered_map<std::string, std::int64_t> vocabulary_;
  BytePairs merges_;
  std::array<std::int64_t, 256> bytes_{}, last_bytes_{}; ///< ids of a byte inside a word and at its end
  std::vector<SpecialToken> raw_, normalised_; ///< found in the text as it is, and in the normalised text
  std::int64_t start_ = 0, end_ = 0, unknown_ = 0, pad_ = 0;
  long max_length_ = 77;
};

} // namespace scoreact
