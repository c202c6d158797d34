/// Files of tokenizers. Input: vocab.json, merges.txt, special_tokens_map.json, tokenizer_config.json and a
/// text, with a zero byte between them. Without merges.txt the first is tokenizer.json; all are read as
/// vocab.txt of BERT, too.
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "text/clip_tokenizer.hpp"
#include "text/wordpiece_tokenizer.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

namespace {

using namespace scoreact;

constexpr long kLength = 77;

void require_ids(const std::vector<std::int64_t>& ids) {
  fuzz::require(ids.size() == kLength, "a text has as many ids as asked for");
  fuzz::require(std::all_of(ids.begin(), ids.end(), [](std::int64_t id) { return id >= 0; }),
                "an id is a row of a table");
}

/// The file stands in `folder` with this content, or not at all.
void put_file(const fuzz::ScratchFolder& folder, const char* name, std::string_view content, bool there) {
  if (there)
    fuzz::put_bytes(folder / name, content);
  else
    std::filesystem::remove(folder / name);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::ScratchFolder folder;
  static const std::string path = (folder / "").string();
  std::string_view rest = fuzz::as_text(data, size);
  std::array<std::string_view, 5> parts;
  for (std::string_view& part : parts) {
    part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  const auto& [vocabulary, merges, special_tokens, config, last] = parts;
  const std::string_view text = last; // clang 14 lets no lambda have a structured binding
  put_file(folder, "vocab.json", vocabulary, !merges.empty());
  put_file(folder, "tokenizer.json", vocabulary, merges.empty());
  put_file(folder, "merges.txt", merges, !merges.empty());
  put_file(folder, "special_tokens_map.json", special_tokens, !special_tokens.empty());
  put_file(folder, "tokenizer_config.json", config, !config.empty());
  fuzz::result_or_error([&] {
    const ClipTokenizer tokenizer(path);
    require_ids(tokenizer.encode(text, kLength));
  });
  fuzz::result_or_error([&] {
    const WordPieceTokenizer tokenizer =
        WordPieceTokenizer::of_lines(fuzz::as_text(data, size), "vocab.txt", {"[DEC]"});
    const MaskedIds encoded = tokenizer.encode(text, kLength);
    require_ids(encoded.ids);
    fuzz::require(encoded.mask.size() == encoded.ids.size(), "every id is padding or not");
  });
  return 0;
}
