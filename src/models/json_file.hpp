#pragma once
/// JSON files of model directories (config.json, scheduler_config.json): reading with errors that name file
/// and key.
#include "error/error.hpp"
#include "store/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace scoreact {

/// The object in the file. Throws Error{missing_input} if there is no such file, Error{data} if it isn't a
/// JSON object.
nlohmann::json read_json(const std::string& path);
/// Writes a temporary file and renames it, so that a reader never sees half of it. Throws Error{io}.
void write_json(const std::string& path, const nlohmann::json& json);

/// Whether get<T>() gives the number that stands there: nlohmann::json alone cuts 1.5 to 1 and turns 2^64 - 1
/// into -1.
template <class T> struct JsonHolds {
  static bool value(const nlohmann::json& json) {
    if constexpr (!std::is_integral_v<T> || std::is_same_v<T, bool>) {
      return true; // get() itself is strict
    } else if (json.is_number_unsigned()) {
      return std::in_range<T>(json.get<std::uint64_t>());
    } else {
      return json.is_number_integer() && std::in_range<T>(json.get<std::int64_t>());
    }
  }
};
template <class T> struct JsonHolds<std::vector<T>> {
  static bool value(const nlohmann::json& json) {
    return json.is_array() && std::all_of(json.begin(), json.end(), JsonHolds<T>::value);
  }
};

/// json[key], or `fallback` if the key is missing or null. Throws Error{data} for another type, and for a
/// number that T cannot hold.
template <class T>
T json_value(const nlohmann::json& json, const char* key, T fallback, const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) {
    return fallback;
  }
  try {
    if (JsonHolds<T>::value(*found)) {
      return found->get<T>();
    }
  } catch (const nlohmann::json::exception&) { // another type
  }
  SCOREACT_FAIL(ExitCode::data, "{}: {}: unexpected value {}", path, key, json_excerpt(*found));
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
