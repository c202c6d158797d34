#pragma once
/// The cases that tests/golden/make_tokenizer_golden.py writes, with the vocabularies that belong to them.
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/source_folder.hpp"
#include "text/clip_tokenizer.hpp"
#include "text/wordpiece_tokenizer.hpp"

namespace scoreact::testing_text {

using Ids = std::vector<std::int64_t>;

struct TokenizerCase {
  std::string text;
  Ids clip, clip_77, bert, bert_35; ///< ids of the text; with start, end and padding
};

inline std::vector<TokenizerCase> read_cases(const std::string& folder) {
  std::ifstream file(folder + "/tokenizer_cases.json");
  std::vector<TokenizerCase> cases;
  for (const auto& entry : nlohmann::json::parse(file)) {
    cases.push_back(
        {entry.at("text"), entry.at("clip"), entry.at("clip_77"), entry.at("bert"), entry.at("bert_35")});
  }
  return cases;
}

inline ClipTokenizer clip_of(const std::string& folder) { return ClipTokenizer(folder + "/clip_tokenizer"); }
inline WordPieceTokenizer bert_of(const std::string& folder) {
  return WordPieceTokenizer(folder + "/wordpiece_vocab.txt", {"[DEC]", "[ENC]"});
}

} // namespace scoreact::testing_text
