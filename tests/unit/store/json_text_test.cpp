#include "store/json_text.hpp"

#include <gtest/gtest.h>

#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

using testing_store::expect_error;

TEST(JsonText, IsReadAsNlohmannReadsIt) {
  EXPECT_EQ(parse_json(R"({"a": [1, 2.5, "x"], "b": null})", "file"),
            nlohmann::json::parse(R"({"a": [1, 2.5, "x"], "b": null})"));
  expect_error(ExitCode::data, "config.json: not valid JSON", [] { parse_json("{\"a\":", "config.json"); });
}

TEST(JsonText, NestedWithoutEndDoesNotExhaustTheStack) {
  const std::string text = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  expect_error(ExitCode::data, "nested deeper than 32 levels", [&] { parse_json(text, "file"); });
  EXPECT_NO_THROW(parse_json(std::string(32, '[') + std::string(32, ']'), "file"));
  expect_error(ExitCode::data, "deeper", [] { parse_json("[[1]]", "file", {.deepest = 1}); });
}

TEST(JsonText, RefusesAKeyGivenTwiceWhereItIsAsked) {
  const std::string text = R"({"a": {"b": 1}, "c": {"b": 2}, "a": 3})";
  EXPECT_EQ(parse_json(text, "file")["a"], 3);
  expect_error(ExitCode::data, "key 'a' stands twice",
               [&] { parse_json(text, "file", {.unique_keys = true}); });
}

TEST(JsonText, ExcerptsAreShortAndWhole) {
  EXPECT_EQ(json_excerpt({1, 2}), "[1,2]");
  EXPECT_EQ(json_excerpt(std::string(1000, 'x')).size(), 63u);
  EXPECT_EQ(json_excerpt("é"), "\"\\u00e9\"");
}

} // namespace
} // namespace scoreact
