#pragma once
/// JSON files of model directories (config.json, scheduler_config.json): reading with errors that name file
/// and key.
#include "error/error.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace scoreact {

/// The object in the file. Throws Error{missing_input} if there is no such file, Error{data} if it isn't a
/// JSON object.
nlohmann::json read_json(const std::string& path);
/// Writes a temporary file and renames it, so that a reader never sees half of it. Throws Error{io}.
void write_json(const std::string& path, const nlohmann::json& json);

/// json[key], or `fallback` if the key is missing or null. Throws Error{data} for another type.
template <class T>
T json_value(const nlohmann::json& json, const char* key, T fallback, const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) {
    return fallback;
  }
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception&) {
    SCOREACT_FAIL(ExitCode::data, "{}: {}: unexpected value {}", path, key, found->dump());
  }
}

/// json[key]; null gives no value, a missing key gives `fallback`. Throws Error{data} for another type.
template <class T>
std::optional<T> json_optional(const nlohmann::json& json, const char* key, std::optional<T> fallback,
                               const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end()) {
    return fallback;
  }
  if (found->is_null()) {
    return std::nullopt;
  }
  return json_value<T>(json, key, T{}, path);
}

} // namespace scoreact
