#pragma once
/// TOML text as a plain tree with positions. The only place that includes toml++ is toml_document.cpp.
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace scoreact::deck {

struct Node;
struct Member;
using Array = std::vector<Node>;
using Table = std::vector<Member>; ///< in the order of the file

/// A TOML type that no key has (dates and times).
struct Foreign {
  std::string type, text;
};

struct Node {
  std::variant<bool, std::int64_t, double, std::string, Foreign, Array, Table> value;
  long line = 0, column = 0; ///< of the value
  long key_line = 0, key_column = 0;

  std::string describe() const; ///< "the integer 3", "the string \"x\"", "a table": for messages
};

/// A key and its value. No std::pair: clang 14 asks for the complete pair while it makes it.
struct Member {
  Member(std::string key, Node value) : first(std::move(key)), second(std::move(value)) {}
  std::string first;
  Node second;
};

struct SyntaxError {
  std::string message;
  long line = 0, column = 0;
};

/// The root table, or what is wrong and where. Accepts arbitrary bytes.
std::variant<Table, SyntaxError> parse_toml(const std::string& text);

/// A string, quoted and escaped for TOML.
std::string quoted(const std::string& text);
/// The shortest decimal number that reads back as `value`, always with a point or exponent.
std::string number(double value);

std::string toml_library_version();

} // namespace scoreact::deck
