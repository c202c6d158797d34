/// Which files of a model folder hold the weights of a network: the rules of from_pretrained in diffusers and
/// transformers, whose save_pretrained made the folder.
#include "error/error.hpp"
#include "models/json_file.hpp"
#include "models/shards.hpp"
#include "models/weights.hpp"

#include <fmt/ranges.h>

#include <filesystem>
#include <set>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

/// Names of a network's weights: one file, or an index of shards.
struct Candidate {
  std::string file;
  bool index;
};

std::vector<Candidate> candidates(const std::string& stem) {
  std::vector<Candidate> names;
  const std::string pickle = stem == "model" ? "pytorch_model" : stem;
  for (const auto& [name, ending] : {std::pair(stem, "safetensors"), std::pair(pickle, "bin")}) {
    for (const char* variant : {"", ".fp16", ".non_ema"}) {
      names.push_back({fmt::format("{}{}.{}", name, variant, ending), false});
      names.push_back({fmt::format("{}.{}.index{}.json", name, ending, variant), true});
    }
  }
  return names;
}

/// tensor -> file. The files lie beside the index: a path would lead elsewhere.
std::map<std::string, std::string> weight_map(const fs::path& index) {
  const nlohmann::json json = read_json(index.string());
  const auto map = json.find("weight_map");
  SCOREACT_REQUIRE(map != json.end() && map->is_object() && !map->empty(), ExitCode::data,
                   "{}: expected an object weight_map that leads from tensors to files", index.string());
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    SCOREACT_REQUIRE(file.is_string(), ExitCode::data, "{}: weight_map: {}: expected a file name, found {}",
                     index.string(), tensor, json_excerpt(file));
    const std::string name = file.get<std::string>();
    SCOREACT_REQUIRE(fs::path(name).filename() == name && name != "." && name != "..", ExitCode::data,
                     "{}: weight_map: {}: expected the name of a file beside the index, found {}",
                     index.string(), tensor, json_excerpt(file));
    files.emplace(tensor, name);
  }
  return files;
}

Candidate find_weights(const fs::path& folder, const std::string& stem) {
  std::vector<std::string> tried;
  for (const Candidate& candidate : candidates(stem)) {
    if (fs::exists(folder / candidate.file)) {
      return candidate;
    }
    tried.push_back(candidate.file);
  }
  SCOREACT_FAIL(ExitCode::missing_input, "{}: no weights here; expected one of {}", folder.string(),
                fmt::join(tried, ", "));
}

std::vector<std::string> files_of(const std::map<std::string, std::string>& map, const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& [tensor, file] : map) {
    names.insert(file);
  }
  std::vector<std::string> paths;
  for (const std::string& name : names) {
    paths.push_back((folder / name).string());
  }
  return paths;
}

} // namespace

std::string model_weight_file(const std::string& directory, const std::string& stem) {
  const fs::path folder(directory);
  return (folder / find_weights(folder, stem).file).string();
}

bool is_shard_index(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  return name.ends_with(".json") && name.find(".index.") != std::string::npos;
}

std::map<std::string, at::Tensor> read_model_weights(const std::string& directory, const std::string& stem) {
  const fs::path folder(directory);
  const Candidate found = find_weights(folder, stem);
  const std::string path = (folder / found.file).string();
  return found.index ? read_shards(path) : read_weights(path);
}

std::map<std::string, at::Tensor> read_shards(const std::string& index) {
  const fs::path folder = fs::path(index).parent_path();
  const std::string index_name = fs::path(index).filename().string();
  const std::map<std::string, std::string> map = weight_map(index);
  std::map<std::string, at::Tensor> tensors;
  for (const std::string& path : files_of(map, folder)) {
    const std::string file = fs::path(path).filename().string();
    for (auto& [name, tensor] : read_weights(path)) {
      const auto listed = map.find(name);
      SCOREACT_REQUIRE(listed != map.end() && listed->second == file, ExitCode::data,
                       "{}: tensor {}: {} does not say that it is here", path, name, index_name);
      tensors.emplace(name, std::move(tensor));
    }
  }
  for (const auto& [name, file] : map) {
    SCOREACT_REQUIRE(tensors.contains(name), ExitCode::data, "{}: no tensor {}, which {} says is here",
                     (folder / file).string(), name, index_name);
  }
  return tensors;
}

} // namespace scoreact
