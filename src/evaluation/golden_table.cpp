#include "evaluation/golden_table.hpp"

#include "models/json_file.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace scoreact {
namespace {

using Json = nlohmann::json;

const std::vector<std::string> kKinds = {"stable_diffusion", "pixel_unet", "image_reward"};
const std::vector<std::string> kKeys = {
    "weights",  "name",      "source",   "test", "kind",     "prompt",   "noise",   "seed",     "steps",
    "guidance", "scheduler", "own_file", "lora", "pictures", "expected", "measure", "tolerance"};

void require_one_of(const std::string& value, const std::vector<std::string>& known,
                    const std::string& where) {
  SCOREACT_REQUIRE(std::find(known.begin(), known.end(), value) != known.end(), ExitCode::data,
                   "{}: expected one of {}, found \"{}\"", where, fmt::join(known, ", "), value);
}

/// The texts under `key`, by name.
std::map<std::string, std::string> texts(const Json& table, const char* key, const std::string& origin) {
  const auto found = table.find(key);
  SCOREACT_REQUIRE(found != table.end() && found->is_object(), ExitCode::data, "{}: {}: expected an object",
                   origin, key);
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : found->items())
    result[name] = json_value<std::string>(*found, name.c_str(), "", origin);
  return result;
}

void read_expected(Golden& golden, const Json& json, const std::string& where) {
  const auto expected = json.find("expected");
  SCOREACT_REQUIRE(expected != json.end(), ExitCode::data, "{}: expected a key \"expected\"", where);
  if (expected->is_string())
    golden.expected_file = expected->get<std::string>();
  else
    golden.expected = json_value<std::vector<double>>(json, "expected", {}, where);
  const std::size_t wanted = golden.kind == "image_reward" ? golden.pictures.size() : 9;
  SCOREACT_REQUIRE(!golden.expected_file.empty() || golden.expected.size() == wanted, ExitCode::data,
                   "{}: expected: {} numbers are wanted, found {}", where, wanted, golden.expected.size());
}

Golden read_golden(const Json& json, const std::map<std::string, std::string>& sources,
                   const std::string& where) {
  SCOREACT_REQUIRE(json.is_object(), ExitCode::data, "{}: expected an object", where);
  for (const auto& [key, value] : json.items())
    require_one_of(key, kKeys, where + ": key");
  const auto text = [&](const char* key) { return json_value<std::string>(json, key, "", where); };
  Golden golden;
  golden.weights = text("weights");
  golden.name = text("name");
  const auto source = sources.find(text("source"));
  golden.source = source == sources.end() ? text("source") : source->second;
  if (!text("test").empty())
    golden.source += ", " + text("test");
  golden.kind = text("kind");
  require_one_of(golden.kind, kKinds, where + ": kind");
  golden.prompt = text("prompt");
  golden.lora = text("lora");
  golden.pictures = json_value<std::vector<std::string>>(json, "pictures", {}, where);
  golden.tolerance = json_value(json, "tolerance", 0.0, where);
  SCOREACT_REQUIRE(golden.tolerance > 0, ExitCode::data, "{}: tolerance: expected a positive number", where);
  if (!text("measure").empty())
    require_one_of(text("measure"), {"largest difference", "cosine distance"}, where + ": measure");
  golden.cosine_distance = text("measure") == "cosine distance";
  read_expected(golden, json, where);
  if (golden.kind == "image_reward")
    return golden;
  require_one_of(text("noise"), {"numpy", "torch"}, where + ": noise");
  golden.numpy_noise = text("noise") == "numpy";
  golden.seed = json_value<std::uint32_t>(json, "seed", 0, where);
  golden.steps = json_value<long>(json, "steps", 0, where);
  SCOREACT_REQUIRE(golden.steps > 0, ExitCode::data, "{}: steps: expected a positive number", where);
  golden.guidance = json_value(json, "guidance", 1.0, where);
  golden.own_file = json_value(json, "own_file", true, where);
  golden.scheduler = json.value("scheduler", Json::object());
  SCOREACT_REQUIRE(golden.scheduler.is_object(), ExitCode::data, "{}: scheduler: expected an object", where);
  return golden;
}

} // namespace

std::vector<std::string> Golden::files() const {
  std::vector<std::string> all = pictures;
  for (const std::string& file : {lora, expected_file})
    if (!file.empty())
      all.push_back(file);
  return all;
}

GoldenTable read_goldens(std::string_view text, const std::string& origin) {
  const Json json = parse_json(text, origin, {.unique_keys = true});
  SCOREACT_REQUIRE(json.is_object() && json.contains("goldens") && json["goldens"].is_array(), ExitCode::data,
                   "{}: expected an object with a list \"goldens\"", origin);
  GoldenTable table{texts(json, "weights", origin), {}};
  const std::map<std::string, std::string> sources =
      json.contains("sources") ? texts(json, "sources", origin) : std::map<std::string, std::string>();
  for (const Json& item : json["goldens"]) {
    const std::string where = fmt::format("{}: golden {}", origin, table.goldens.size() + 1);
    table.goldens.push_back(read_golden(item, sources, where));
    const std::string& weights = table.goldens.back().weights;
    SCOREACT_REQUIRE(table.weights.count(weights) > 0, ExitCode::data,
                     "{}: weights: \"{}\" does not stand in the table's list of weights", where, weights);
  }
  return table;
}

} // namespace scoreact
