#include "text/clip_tokenizer.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "error/error.hpp"
#include "store/json_text.hpp"
#include "store/mapped_file.hpp"
#include "text/clip_words.hpp"
#include "text/unicode.hpp"

namespace scoreact {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json json_object_of(const fs::path& path) {
  const MappedFile file(path);
  json object = parse_json({file.data(), file.size()}, path.string());
  SCOREACT_REQUIRE(object.is_object(), ExitCode::data, "{}: expected a JSON object, found {}", path.string(),
                   object.type_name());
  return object;
}

/// The object of a file that a folder may lack.
json optional_object(const fs::path& path) {
  return fs::exists(path) ? json_object_of(path) : json::object();
}

/// object[key] if it is a string, else "".
std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

} // namespace

/// What the folder's files say, before it is checked.
struct ClipTokenizer::Files {
  fs::path folder;
  std::string vocabulary_file, merges_file; ///< for messages
  json vocabulary;                          ///< token -> id
  std::vector<std::string> merges;          ///< "first second", in order of rank
  json special_tokens, config;

  explicit Files(const fs::path& path) : folder(path) {
    SCOREACT_REQUIRE(fs::is_directory(folder), ExitCode::missing_input,
                     "{}: no such folder; expected a tokenizer's, with vocab.json and merges.txt",
                     folder.string());
    special_tokens = optional_object(folder / "special_tokens_map.json");
    config = optional_object(folder / "tokenizer_config.json");
    if (!fs::exists(folder / "vocab.json") && fs::exists(folder / "tokenizer.json")) {
      read_tokenizer_json();
      return;
    }
    vocabulary_file = (folder / "vocab.json").string();
    merges_file = (folder / "merges.txt").string();
    vocabulary = json_object_of(vocabulary_file);
    read_merges();
  }

  void read_merges() {
    const MappedFile file(merges_file);
    std::string_view rest(file.data(), file.size());
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.ends_with('\r')) {
        line.remove_suffix(1);
      }
      if (!line.empty() && !line.starts_with("#version")) {
        merges.emplace_back(line);
      }
    }
  }

  /// The file that transformers 5 writes alone. Only the model is taken from it; the rest is CLIP's.
  void read_tokenizer_json() {
    vocabulary_file = merges_file = (folder / "tokenizer.json").string();
    const json whole = json_object_of(vocabulary_file);
    const json model = whole.value("model", json());
    SCOREACT_REQUIRE(text_at(model, "type") == "BPE" && text_at(model, "end_of_word_suffix") == end_of_word,
                     ExitCode::data, "{}: model: expected BPE with the end_of_word_suffix {}",
                     vocabulary_file, end_of_word);
    vocabulary = model.value("vocab", json::object());
    SCOREACT_REQUIRE(vocabulary.is_object(), ExitCode::data, "{}: model.vocab: expected an object",
                     vocabulary_file);
    for (const json& merge : model.value("merges", json::array())) {
      const bool pair = merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string();
      SCOREACT_REQUIRE(pair || merge.is_string(), ExitCode::data,
                       "{}: model.merges: expected pairs of tokens, found {}", merges_file,
                       json_excerpt(merge));
      merges.push_back(pair ? merge[0].get<std::string>() + " " + merge[1].get<std::string>()
                            : merge.get<std::string>());
    }
  }
};

ClipTokenizer::ClipTokenizer(const std::string& folder) {
  const Files files(folder);
  for (const auto& [token, id] : files.vocabulary.items()) {
    const bool good = id.is_number_unsigned() && id.get<std::uint64_t>() <= INT32_MAX;
    SCOREACT_REQUIRE(good, ExitCode::data, "{}: token '{}': expected an id from 0 on, found {}",
                     files.vocabulary_file, token, json_excerpt(id));
    vocabulary_.emplace(token, id.get<std::int64_t>());
  }
  for (const std::string& line : files.merges) {
    const std::size_t blank = line.find(' ');
    SCOREACT_REQUIRE(blank != std::string::npos && line.find(' ', blank + 1) == std::string::npos,
                     ExitCode::data, "{}: expected two tokens and a blank, found '{}'", files.merges_file,
                     line);
    const std::string first = line.substr(0, blank), second = line.substr(blank + 1);
    const std::int64_t first_id = id_of(first, files.merges_file),
                       second_id = id_of(second, files.merges_file);
    merges_.add(first_id, second_id, id_of(first + second, files.merges_file));
  }
  set_special_tokens(files);
  set_bytes();
}

std::int64_t ClipTokenizer::id_of(const std::string& token, const std::string& where) const {
  const auto found = vocabulary_.find(token);
  SCOREACT_REQUIRE(found != vocabulary_.end(), ExitCode::data, "{}: token '{}' is not in the vocabulary",
                   where, token);
  return found->second;
}

void ClipTokenizer::set_bytes() {
  const std::array<std::string, 256> characters = byte_characters();
  const auto known_or_unknown = [this](const std::string& token) {
    const auto found = vocabulary_.find(token);
    return found == vocabulary_.end() ? unknown_ : found->second;
  };
  for (std::size_t byte = 0; byte < 256; ++byte) {
    bytes_[byte] = known_or_unknown(characters[byte]);
    last_bytes_[byte] = known_or_unknown(characters[byte] + std::string(end_of_word));
  }
}

void ClipTokenizer::set_special_tokens(const Files& files) {
  struct Mention {
    std::string text;
    bool normalised;
  };
  std::vector<Mention> mentions;
  // a string, or an object with `content` and `normalized`; the map stands over the config
  const auto token = [&](const char* role, const char* usual) {
    json value = files.special_tokens.value(role, json());
    value = value.is_null() ? files.config.value(role, json()) : value;
    std::string name = usual;
    if (!value.is_null()) {
      name = value.is_string() ? value.get<std::string>() : text_at(value, "content");
    }
    SCOREACT_REQUIRE(!name.empty(), ExitCode::data, "{}: {}: expected a token, found {}",
                     files.folder.string(), role, json_excerpt(value));
    mentions.push_back({name, value.is_object() && value.value("normalized", json()) == json(true)});
    return id_of(name, fmt::format("{}: {}", files.folder.string(), role));
  };
  start_ = token("bos_token", "<|startoftext|>");
  end_ = token("eos_token", "<|endoftext|>");
  unknown_ = token("unk_token", "<|endoftext|>");
  pad_ = token("pad_token", "<|endoftext|>");
  for (const Mention& mention : mentions) {
    const bool normalised = std::all_of(mentions.begin(), mentions.end(), [&](const Mention& other) {
      return other.text != mention.text || other.normalised;
    });
    std::vector<SpecialToken>& list = normalised ? normalised_ : raw_;
    const std::u32string text = unicode::from_utf8(mention.text);
    list.push_back({normalised ? unicode::lower(unicode::nfc(text)) : text, vocabulary_.at(mention.text)});
  }
  const json length = files.config.value("model_max_length", json());
  if (length.is_number()) { // 1e30 where it was left open
    const double number = length.get<double>();
    SCOREACT_REQUIRE(number >= 2, ExitCode::data, "{}: model_max_length: expected at least 2, found {}",
                     (files.folder / "tokenizer_config.json").string(), number);
    max_length_ = number < 1e9 ? static_cast<long>(number) : max_length_;
  }
}

void ClipTokenizer::append_word(std::u32string_view word, std::vector<std::int64_t>& ids) const {
  const std::string bytes = unicode::to_utf8(word);
  std::vector<std::int64_t> symbols;
  symbols.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    symbols.push_back(i + 1 == bytes.size() ? last_bytes_[byte] : bytes_[byte]);
  }
  const std::vector<std::int64_t> merged = merges_.merged(symbols);
  ids.insert(ids.end(), merged.begin(), merged.end());
}

void ClipTokenizer::append_plain(std::u32string_view text, std::vector<std::int64_t>& ids) const {
  for (const std::u32string_view word : clip_words(text)) {
    append_word(word, ids);
  }
}

std::vector<std::int64_t> ClipTokenizer::ids(std::string_view text) const {
  std::vector<std::int64_t> ids;
  const std::u32string codes = unicode::from_utf8(text);
  for (const TextPart& part : split_at(codes, raw_)) {
    if (part.token != nullptr) {
      ids.push_back(part.token->id);
      continue;
    }
    const std::u32string normal = unicode::lower(unicode::nfc(part.text));
    for (const TextPart& piece : split_at(normal, normalised_)) {
      if (piece.token != nullptr) {
        ids.push_back(piece.token->id);
      } else {
        append_plain(piece.text, ids);
      }
    }
  }
  return ids;
}

std::vector<std::int64_t> ClipTokenizer::encode(std::string_view text, long length,
                                                std::optional<std::int64_t> pad) const {
  SCOREACT_REQUIRE(length >= 2, ExitCode::internal, "a text of {} tokens has no room for start and end",
                   length);
  const auto room = static_cast<std::size_t>(length);
  std::vector<std::int64_t> all = ids(text);
  all.resize(std::min(all.size(), room - 2));
  all.insert(all.begin(), start_);
  all.push_back(end_);
  all.resize(room, pad.value_or(pad_));
  return all;
}

} // namespace scoreact
