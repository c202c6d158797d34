#include "models/model_folder.hpp"

#include "error/error.hpp"
#include "models/json_file.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "hf:";

/// ORG/NAME and what may stand behind an @.
struct HubName {
  std::string organisation, model, revision;
};

bool is_word(std::string_view text) {
  return !text.empty() && text.front() != '.' && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

/// Nothing if this cannot be a name of the hub.
std::optional<HubName> hub_name(std::string_view text) {
  const std::size_t at = text.find('@'), slash = text.find('/');
  const std::string revision(at == std::string_view::npos ? "main" : text.substr(at + 1));
  const std::string_view name = text.substr(0, at);
  if (slash == std::string_view::npos || slash >= name.size()) {
    return std::nullopt;
  }
  const std::string_view organisation = name.substr(0, slash), model = name.substr(slash + 1);
  if (!is_word(organisation) || !is_word(model) || !is_word(revision)) {
    return std::nullopt;
  }
  return HubName{std::string(organisation), std::string(model), revision};
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path hub_cache() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) {
    return cache;
  }
  if (const std::string home = environment("HF_HOME"); !home.empty()) {
    return fs::path(home) / "hub";
  }
  return fs::path(environment("HOME")) / ".cache" / "huggingface" / "hub";
}

/// The commit that a revision stands for: what its file says, or the revision itself if it is a commit.
std::string commit_of(const fs::path& repository, const std::string& revision) {
  std::ifstream file(repository / "refs" / revision);
  std::string commit;
  file >> commit;
  return is_word(commit) ? commit : revision;
}

} // namespace

std::string resolve_model_folder(const std::string& name) {
  std::error_code ignored;
  if (fs::exists(name, ignored)) {
    return name;
  }
  const bool meant = name.starts_with(kPrefix);
  const std::optional<HubName> hub = hub_name(meant ? std::string_view(name).substr(kPrefix.size()) : name);
  SCOREACT_REQUIRE(hub || !meant, ExitCode::missing_input, "{}: expected hf:ORG/NAME or hf:ORG/NAME@REVISION",
                   name);
  if (!hub) {
    return name;
  }
  const fs::path cache = hub_cache();
  const fs::path repository = cache / ("models--" + hub->organisation + "--" + hub->model);
  if (!fs::is_directory(repository, ignored)) {
    SCOREACT_REQUIRE(
        !meant, ExitCode::missing_input,
        "{}: not in the cache {} (HF_HUB_CACHE, HF_HOME); download it first: huggingface-cli download "
        "{}/{}",
        name, cache.string(), hub->organisation, hub->model);
    return name;
  }
  const fs::path snapshot = repository / "snapshots" / commit_of(repository, hub->revision);
  SCOREACT_REQUIRE(fs::is_directory(snapshot, ignored), ExitCode::missing_input,
                   "{}: the cache has no snapshot of revision {}: {} is missing", name, hub->revision,
                   snapshot.string());
  return snapshot.string();
}

void check_model_index(const std::string& folder) {
  const fs::path path = fs::path(folder) / "model_index.json";
  if (!fs::exists(path)) {
    return;
  }
  const nlohmann::json index = read_json(path.string());
  const auto require_torch = [&](const std::string& name) {
    SCOREACT_REQUIRE(
        !name.starts_with("Flax"), ExitCode::data,
        "{}: {}: this folder holds Flax weights; expected those of PyTorch, usually on the branch main",
        path.string(), name);
  };
  const auto pipeline = json_value<std::string>(index, "_class_name", "", path.string());
  require_torch(pipeline);
  SCOREACT_REQUIRE(pipeline == "StableDiffusionPipeline", ExitCode::data,
                   "{}: _class_name: expected StableDiffusionPipeline, found {}", path.string(),
                   pipeline.empty() ? "none" : pipeline);
  for (const auto& [component, value] : index.items()) {
    if (value.is_array() && value.size() == 2 && value[1].is_string()) {
      require_torch(value[1].get<std::string>());
    }
  }
}

} // namespace scoreact
