#include "store/json_text.hpp"

#include <set>
#include <vector>

#include "error/error.hpp"

namespace scoreact {

using nlohmann::json;

json parse_json(std::string_view text, const std::string& origin, JsonLimits limits) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start)
      SCOREACT_REQUIRE(depth < limits.deepest, ExitCode::data, "{}: nested deeper than {} levels", origin,
                       limits.deepest);
    if (!limits.unique_keys)
      return true;
    if (event == json::parse_event_t::object_start)
      keys.emplace_back();
    if (event == json::parse_event_t::object_end)
      keys.pop_back();
    if (event == json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      SCOREACT_REQUIRE(keys.back().insert(key).second, ExitCode::data, "{}: key '{}' stands twice", origin,
                       key);
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), watch);
  } catch (const json::exception& error) {
    SCOREACT_FAIL(ExitCode::data, "{}: not valid JSON: {}", origin, error.what());
  }
}

std::string json_excerpt(const json& value) {
  constexpr std::size_t longest = 60;
  const std::string text = value.dump(-1, ' ', true); // ASCII, so that a cut leaves UTF-8 whole
  return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

} // namespace scoreact
