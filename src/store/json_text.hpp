#pragma once
/// JSON that somebody else wrote: nlohmann::json, less what it lets pass. Values that are nested without end
/// exhaust the stack when they are printed or copied, and of a key that stands twice the last one wins
/// silently.
#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace scoreact {

struct JsonLimits {
  int deepest = 32;         ///< levels of objects and lists
  bool unique_keys = false; ///< refuse a key that stands twice in an object
};

/// Parses `text`. Throws Error{data} that begins with `origin`.
nlohmann::json parse_json(std::string_view text, const std::string& origin, JsonLimits limits = {});

/// A value for a message: as JSON, cut after 60 characters.
std::string json_excerpt(const nlohmann::json& value);

} // namespace scoreact
