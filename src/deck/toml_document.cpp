#include "deck/toml_document.hpp"

#include <fmt/format.h>

// toml++ 3.3 asserts things that damaged text breaks (`[.a]`), and in release builds tells the compiler that
// they hold. Both become an exception here. Its headers look at NDEBUG, hence the two lines around the
// include.
namespace {
struct BrokenAssumption {};
[[noreturn]] void assumption_broken() { throw BrokenAssumption{}; }
} // namespace
#define TOML_ASSERT(expression)                                                                              \
  do {                                                                                                       \
    if (!(expression))                                                                                       \
      assumption_broken();                                                                                   \
  } while (false)
#ifdef NDEBUG
#undef NDEBUG
#include <toml++/toml.h>
#define NDEBUG
#else
#include <toml++/toml.h>
#endif

#include <algorithm>
#include <cctype>
#include <sstream>

namespace scoreact::deck {
namespace {

/// toml++ recurses once a part of a dotted key, without a limit. Counts the dots that can belong to keys, in
/// every token outside of strings and comments that is not one decimal number, so that hostile text cannot
/// exhaust the stack.
long count_key_dots(const std::string& text) {
  long total = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '#') {
      while (i < text.size() && text[i] != '\n')
        ++i;
    } else if (c == '"' || c == '\'') {
      const bool multiline = text.compare(i, 3, std::string(3, c)) == 0;
      const std::string fence(multiline ? 3 : 1, c);
      i += fence.size();
      while (i < text.size() && text.compare(i, fence.size(), fence) != 0 && (multiline || text[i] != '\n'))
        i += (c == '"' && text[i] == '\\') ? 2 : 1;
      i += fence.size();
    } else if (std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '+' || c == '_') {
      const std::size_t start = i;
      while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) ||
                                 std::string_view(".-+_").find(text[i]) != std::string_view::npos))
        ++i;
      const long dots =
          std::count(text.begin() + static_cast<long>(start), text.begin() + static_cast<long>(i), '.');
      const bool number = dots == 1 && (std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+');
      total += number ? 0 : dots;
    } else {
      ++i;
    }
  }
  return total;
}

Node convert(const toml::node& source);

std::string text_of(const toml::node& node) {
  std::ostringstream stream;
  node.visit([&](const auto& value) { stream << value; });
  return stream.str();
}

Table convert(const toml::table& source) {
  Table table;
  for (const auto& [key, value] : source) {
    Node node = convert(value);
    node.key_line = key.source().begin.line;
    node.key_column = key.source().begin.column;
    table.emplace_back(std::string(key.str()), std::move(node));
  }
  std::stable_sort(table.begin(), table.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.key_line, a.second.key_column) <
           std::pair(b.second.key_line, b.second.key_column);
  });
  return table;
}

Node convert(const toml::node& source) {
  Node node;
  node.line = source.source().begin.line;
  node.column = source.source().begin.column;
  switch (source.type()) {
  case toml::node_type::boolean:
    node.value = source.as_boolean()->get();
    break;
  case toml::node_type::integer:
    node.value = source.as_integer()->get();
    break;
  case toml::node_type::floating_point:
    node.value = source.as_floating_point()->get();
    break;
  case toml::node_type::string:
    node.value = source.as_string()->get();
    break;
  case toml::node_type::array: {
    Array array;
    for (const toml::node& element : *source.as_array())
      array.push_back(convert(element));
    node.value = std::move(array);
    break;
  }
  case toml::node_type::table:
    node.value = convert(*source.as_table());
    break;
  default:
    node.value = Foreign{source.type() == toml::node_type::time ? "time" : "date", text_of(source)};
  }
  return node;
}

/// The first line with whose end the text breaks toml++'s assumptions.
long broken_line(const std::string& text) {
  long line = 1;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', end + 1), ++line) {
    try {
      const toml::table prefix = toml::parse(std::string_view(text).substr(0, end + 1));
    } catch (const BrokenAssumption&) {
      return line;
    } catch (const toml::parse_error&) { // the prefix may end inside a list
    }
  }
  return line;
}

struct Describe {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("the integer {}", value); }
  std::string operator()(double value) const { return "the number " + number(value); }
  std::string operator()(const std::string& value) const {
    constexpr std::size_t longest = 60;
    return "the string " + quoted(value.size() <= longest ? value : value.substr(0, longest) + "...");
  }
  std::string operator()(const Foreign& value) const { return "the " + value.type + " " + value.text; }
  std::string operator()(const Array& value) const {
    return value.empty() ? "an empty list" : fmt::format("a list of {}", value.size());
  }
  std::string operator()(const Table&) const { return "a table"; }
};

} // namespace

std::string Node::describe() const { return std::visit(Describe{}, value); }

std::variant<Table, SyntaxError> parse_toml(const std::string& text) {
  constexpr std::size_t largest = 4 << 20;
  constexpr long most_key_dots = 2000;
  if (text.size() > largest)
    return SyntaxError{fmt::format("expected a deck of at most {} bytes, found {}", largest, text.size()), 1,
                       1};
  if (count_key_dots(text) > most_key_dots)
    return SyntaxError{
        fmt::format("expected keys of the form section.key, found more than {} dots in keys", most_key_dots),
        1, 1};
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return SyntaxError{std::string(error.description()), error.source().begin.line,
                       error.source().begin.column};
  } catch (const BrokenAssumption&) {
    return SyntaxError{"expected a key, a [section] or a comment", broken_line(text), 1};
  }
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      result += fmt::format("\\{}", c);
    else if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
      result += fmt::format("\\u{:04X}", byte);
    else
      result += c;
  }
  return result + "\"";
}

std::string number(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos)
    text += ".0"; // n: nan, inf
  return text;
}

std::string toml_library_version() {
  return fmt::format("{}.{}.{}", TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH);
}

} // namespace scoreact::deck
