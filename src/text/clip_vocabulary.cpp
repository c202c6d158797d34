#include "text/clip_vocabulary.hpp"

#include <nlohmann/json.hpp>

#include "error/error.hpp"
#include "store/atomic_file.hpp"
#include "text/clip_words.hpp"

namespace scoreact {

std::vector<std::string> clip_byte_tokens() {
  const std::array<std::string, 256> characters = byte_characters();
  std::vector<std::string> tokens;
  for (const std::string_view ending : {std::string_view(""), end_of_word}) {
    for (const bool prints : {true, false}) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        if (stands_for_itself(byte) == prints) {
          tokens.push_back(characters[byte] + std::string(ending));
        }
      }
    }
  }
  return tokens;
}

void write_clip_tokenizer(const std::filesystem::path& folder,
                          const std::vector<std::pair<std::string, std::string>>& merges, long vocab_size,
                          long max_length) {
  constexpr const char *start = "<|startoftext|>", *end = "<|endoftext|>";
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", folder.string(),
                   failure.message());
  nlohmann::ordered_json vocabulary;
  long id = 0;
  for (const std::string& token : clip_byte_tokens()) {
    vocabulary[token] = id++;
  }
  std::string lines = "#version: 0.2\n";
  for (const auto& [first, second] : merges) {
    vocabulary[first + second] = id++;
    lines += first + " " + second + "\n";
  }
  SCOREACT_REQUIRE(id + 2 <= vocab_size, ExitCode::internal,
                   "a vocabulary of {} tokens has no room for {} and the two special ones", vocab_size, id);
  vocabulary[start] = vocab_size - 2;
  vocabulary[end] = vocab_size - 1;
  write_text_atomically(folder / "vocab.json", vocabulary.dump());
  write_text_atomically(folder / "merges.txt", lines);
  const nlohmann::ordered_json special = {
      {"bos_token", start}, {"eos_token", end}, {"pad_token", end}, {"unk_token", end}};
  write_text_atomically(folder / "special_tokens_map.json", special.dump(2) + "\n");
  nlohmann::ordered_json config = special;
  config.update({{"add_prefix_space", false},
                 {"do_lower_case", true},
                 {"errors", "replace"},
                 {"model_max_length", max_length},
                 {"tokenizer_class", "CLIPTokenizer"}});
  write_text_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

} // namespace scoreact
