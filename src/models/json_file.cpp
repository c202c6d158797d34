#include "models/json_file.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace scoreact {

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  SCOREACT_REQUIRE(file.good(), ExitCode::missing_input, "{}: cannot open this file", path);
  std::ostringstream text;
  text << file.rdbuf();
  nlohmann::json json = parse_json(text.view(), path);
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
