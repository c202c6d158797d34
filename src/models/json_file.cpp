#include "models/json_file.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace scoreact {
namespace {

/// Python writes NaN, Infinity and -Infinity, which JSON does not have (scheduler files of DPM-Solver++:
/// "lambda_min_clipped": -Infinity). They become null.
std::string without_nonfinite(std::string text) {
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"')
      in_string = !in_string;
    else if (in_string && text[i] == '\\')
      ++i; // what is escaped ends no string
    else if (!in_string)
      for (const std::string_view word : {"-Infinity", "Infinity", "NaN"})
        if (text.compare(i, word.size(), word) == 0)
          text.replace(i, word.size(), "null");
  }
  return text;
}

} // namespace

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  SCOREACT_REQUIRE(file.good(), ExitCode::missing_input, "{}: cannot open this file", path);
  std::ostringstream text;
  text << file.rdbuf();
  nlohmann::json json = parse_json(without_nonfinite(text.str()), path);
  SCOREACT_REQUIRE(json.is_object(), ExitCode::data, "{}: expected a JSON object, found {}", path,
                   json.type_name());
  return json;
}

void write_json(const std::string& path, const nlohmann::json& json) {
  const std::string temporary = path + ".part";
  {
    std::ofstream file(temporary);
    file << json.dump(2) << '\n';
    file.close();
    SCOREACT_REQUIRE(file.good(), ExitCode::io, "{}: cannot write this file", path);
  }
  std::error_code failure;
  std::filesystem::rename(temporary, path, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot write this file: {}", path, failure.message());
}

} // namespace scoreact
