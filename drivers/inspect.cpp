/// scoreact inspect FILE: what is in a run file, a trajectory file, a checkpoint, a weight file.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "drivers/command.hpp"
#include "error/error.hpp"
#include "store/checkpoint.hpp"
#include "store/child_process.hpp"
#include "store/hdf5_file.hpp"
#include "store/run_directory.hpp"
#include "store/run_file.hpp"
#include "store/safetensors.hpp"
#include "store/trajectory_file.hpp"

namespace scoreact {

namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

json describe(const Attributes& attributes) {
  json result = json::object();
  for (const auto& [name, value] : attributes) {
    std::visit([&, key = name](const auto& plain) { result[key] = plain; }, value);
  }
  return result;
}

/// run.name of a deck's text; a run file keeps the deck as TOML that scoreact itself wrote, one key a line.
std::string deck_name(const std::string& deck) {
  const std::size_t section = deck.find("[run]");
  const std::size_t key = deck.find("\nname", section == std::string::npos ? 0 : section);
  if (key == std::string::npos)
    return "";
  const std::string line = deck.substr(key + 1, deck.find('\n', key + 1) - key - 1);
  const std::size_t open = line.find_first_of("\"'"), close = line.find_last_of("\"'");
  return open == std::string::npos || open == close ? "" : line.substr(open + 1, close - open - 1);
}

json describe_run(const fs::path& path) {
  const RunFile run = RunFile::open(path);
  json result{{"kind", "run"}, {"file", path.string()}};
  result["attributes"] = describe(run.attributes());
  const auto deck = run.attributes().find("deck");
  const auto* text = deck == run.attributes().end() ? nullptr : std::get_if<std::string>(&deck->second);
  result["name"] = text == nullptr ? "" : deck_name(*text);
  result["epochs"] = run.epochs();
  result["last"] = json::object();
  result["units"] = json::object();
  for (const MetricInfo& info : run.metrics()) {
    result["units"][info.name] = info.units;
    if (run.epochs() > 0)
      result["last"][info.name] = run.column(info.name).back();
  }
  const EvaluationTable& table = run.evaluation();
  result["evaluation"] = {{"epoch", table.epochs}, {"steps", table.steps}, {"solver", table.solvers}};
  return result;
}

json describe_trajectories(const fs::path& path) {
  const TrajectoryFile file(path);
  json result{{"kind", "trajectories"},
              {"file", path.string()},
              {"steps", file.steps()},
              {"samples", file.samples()},
              {"sample_shape", file.sample_shape()}};
  result["attributes"] = describe(file.attributes());
  result["datasets"] = json::array();
  for (const std::string& name : file.names()) {
    result["datasets"].push_back({{"name", name}, {"shape", file.shape(name)}, {"units", file.units(name)}});
  }
  return result;
}

/// Any other HDF5 file, ours or not: attributes, and each dataset with its shape and unit.
json describe_hdf5(const fs::path& path) {
  const Hdf5File file = open_hdf5(path);
  const Hdf5Values root(file.id(), path);
  json result{{"kind", root.read_text_attribute("format", "hdf5")}, {"file", path.string()}};
  result["attributes"] = describe(root.read_attributes());
  result["datasets"] = json::array();
  for (const std::string& name : root.datasets()) {
    const Hdf5Dataset dataset(
        check_hdf5(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), path, "open '" + name + "'"));
    result["datasets"].push_back({{"name", name},
                                  {"shape", root.shape(name)},
                                  {"units", Hdf5Values(dataset.id(), path).read_text_attribute("units")}});
  }
  return result;
}

json describe_weights(const fs::path& path) {
  const SafetensorsFile file(path);
  json result{{"kind", "safetensors"}, {"file", path.string()}};
  result["metadata"] = file.metadata();
  std::int64_t numbers = 0;
  result["tensors"] = json::array();
  for (const std::string& name : file.names()) {
    const ArrayView array = file.at(name);
    numbers += array.numel();
    result["tensors"].push_back({{"name", name}, {"dtype", name_of(array.dtype)}, {"shape", array.shape}});
  }
  result["numbers"] = numbers;
  return result;
}

json describe_checkpoint(const fs::path& folder) {
  const std::string damage = checkpoint_damage(folder);
  json result{
      {"kind", "checkpoint"}, {"file", folder.string()}, {"valid", damage.empty()}, {"damage", damage}};
  if (!damage.empty())
    return result;
  const LoadedCheckpoint checkpoint = open_checkpoint(folder);
  result["epoch"] = checkpoint.epoch();
  result["policy"] = describe_weights(checkpoint.policy().path());
  if (const auto value = checkpoint.value())
    result["value"] = describe_weights(value->path());
  return result;
}

json describe_checkpoints(const fs::path& folder) {
  json result{{"kind", "checkpoints"}, {"file", folder.string()}, {"checkpoints", json::array()}};
  for (const auto& [epoch, path] : list_checkpoints(folder)) {
    const std::string damage = checkpoint_damage(path);
    result["checkpoints"].push_back(
        {{"epoch", epoch}, {"folder", path.string()}, {"valid", damage.empty()}, {"damage", damage}});
  }
  return result;
}

json describe_any_hdf5(const fs::path& path) {
  std::string format;
  {
    const Hdf5File file = open_hdf5(path);
    format = Hdf5Values(file.id(), path).read_text_attribute("format", "none");
  }
  return format == "scoreact-run"            ? describe_run(path)
         : format == "scoreact-trajectories" ? describe_trajectories(path)
                                             : describe_hdf5(path);
}

/// Some damage kills libhdf5, and inspect is there to tell what a file is.
json survive(json (*describe)(const fs::path&), const fs::path& path) {
  constexpr long kSeconds = 10; // of processor time; the metrics of a million epochs take one
  return json::parse(in_child_process(path.string(), kSeconds, [&] { return describe(path).dump(); }));
}

json describe_any(const fs::path& path) {
  SCOREACT_REQUIRE(fs::exists(path), ExitCode::missing_input, "{}: no such file or folder", path.string());
  if (fs::is_directory(path)) {
    if (fs::exists(path / "DONE") || fs::exists(path / "policy.safetensors"))
      return describe_checkpoint(path); // which holds a copy of run.h5, too
    const RunDirectory run(path);
    if (fs::exists(run.run_file()))
      return survive(describe_run, run.run_file());
    if (!list_checkpoints(path).empty())
      return describe_checkpoints(path);
    SCOREACT_FAIL(ExitCode::data, "{}: expected a run, a checkpoint or a folder of checkpoints",
                  path.string());
  }
  char start[8] = {};
  std::ifstream(path, std::ios::binary).read(start, sizeof(start));
  if (std::string_view(start, 8) != std::string_view("\x89HDF\r\n\x1a\n", 8)) {
    std::uint64_t header = 0; // a safetensors file begins with the length of its header
    std::memcpy(&header, start, sizeof(header));
    SCOREACT_REQUIRE(path.extension() == ".safetensors" || (header > 0 && header < fs::file_size(path)),
                     ExitCode::data, "{}: expected an HDF5 or a safetensors file, found neither",
                     path.string());
    return describe_weights(path);
  }
  return survive(describe_any_hdf5, path);
}

std::string short_text(const json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  const std::size_t line = std::min(text.find('\n'), std::size_t{100});
  return line < text.size() ? text.substr(0, line) + " ..." : text;
}

/// The same facts as text: one line a fact, one line a row of a table.
void print(const json& facts) {
  for (const auto& [key, value] : facts.items()) {
    if (key == "units")
      continue; // beside the numbers
    if (value.is_object()) {
      fmt::print("{}\n", key);
      for (const auto& [name, entry] : value.items()) {
        const std::string unit = key == "last" ? facts["units"].value(name, "") : "";
        fmt::print("  {:<28} {} {}\n", name, short_text(entry), unit == "1" ? "" : unit);
      }
    } else if (value.is_array() && !value.empty() && value[0].is_object()) {
      fmt::print("{}\n", key);
      for (const auto& row : value) {
        std::string line;
        for (const auto& [name, entry] : row.items())
          line += fmt::format("{:<{}} ", short_text(entry), line.empty() ? 60 : 14);
        fmt::print("  {}\n", line);
      }
    } else {
      fmt::print("{:<14} {}\n", key, short_text(value));
    }
  }
}

} // namespace

ExitCode run_inspect(const Invocation& invocation) {
  int rank = 0;
  SCOREACT_CHECK_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  if (rank != 0)
    return ExitCode::success;
  const json facts = describe_any(invocation.target);
  if (invocation.json) {
    fmt::print("{}\n", facts.dump());
  } else {
    print(facts);
  }
  return ExitCode::success;
}

} // namespace scoreact
