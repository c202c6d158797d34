/// From TOML to a validated Deck, collecting every error on the way.
#include "deck/combinations.hpp"
#include "deck/schema.hpp"
#include "deck/suggest.hpp"
#include "deck/toml_document.hpp"
#include "error/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

namespace scoreact {
namespace deck {
namespace {

/// Where a value was written: in the file, or in the n-th --set (which come after the file).
struct Place {
  long override_number = 0;
  long line = 1, column = 1;
  std::string text; ///< file:line:column, or the option itself

  auto order() const { return std::tuple(override_number, line, column); }
};

struct Entry {
  Node node;
  Place place, key_place;
  std::filesystem::path folder; ///< where relative paths start
};

class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {
    folder_ = std::filesystem::path(name_).parent_path();
  }

  void add_file(const std::string& text) {
    auto parsed = parse_toml(text);
    if (auto* syntax = std::get_if<SyntaxError>(&parsed)) {
      malformed_ = true;
      fail(in_file(syntax->line, syntax->column), syntax->message);
      return;
    }
    collect(std::get<Table>(std::move(parsed)), "", 0, "");
    for (const auto& group : alternatives()) {
      std::string first;
      for (const std::string& key : group) {
        if (!entries_.count(key))
          continue;
        if (first.empty())
          first = key;
        else
          groups_set_twice_.push_back({first, key});
      }
    }
  }

  void add_override(const std::string& option, long number) {
    const std::size_t equals = option.find('=');
    SCOREACT_REQUIRE(equals != std::string::npos && equals > 0, ExitCode::usage,
                     "--set: expected section.key=value, found {}", quoted(option));
    const std::string name = option.substr(0, equals), text = option.substr(equals + 1);
    auto parsed = parse_toml("x = " + text);
    Node node;
    auto* table = std::get_if<Table>(&parsed);
    if (table && table->size() == 1 && table->front().first == "x") {
      node = std::move(table->front().second);
    } else {
      if (std::holds_alternative<SyntaxError>(parse_toml("x = " + quoted(text)))) {
        fail(in_override(option, number), name + ": expected text in UTF-8");
        return;
      }
      node.value = text;
    }
    const Key* key = find_key(name);
    Deck scratch;
    if (key && std::holds_alternative<std::string*>(key->slot(scratch)) &&
        std::holds_alternative<Foreign>(node.value))
      node.value = text; // run.max_time=01:30:00 is a time of day to TOML
    Table one;
    one.emplace_back(name, std::move(node));
    collect(std::move(one), "", number, option);
  }

  Deck finish(DeckUse use) {
    Deck deck;
    deck.path = name_;
    for (const auto& [first, second] : groups_set_twice_)
      if (entries_.count(first) && entries_.count(second))
        fail(std::max(entries_.at(first).key_place, entries_.at(second).key_place,
                      [](const Place& a, const Place& b) { return a.order() < b.order(); }),
             fmt::format("{} and {} are both set: expected one of them", first, second));
    for (const Key& key : schema()) {
      const auto entry = entries_.find(key.name);
      if (entry != entries_.end())
        assign(key, entry->second, deck);
    }
    if (!malformed_)
      for (const Conflict& conflict : conflicts(deck, use))
        report(conflict);
    throw_errors();
    return deck;
  }

 private:
  Place in_file(long line, long column) const {
    return {0, line, column, fmt::format("{}:{}:{}", name_, line, column)};
  }
  static Place in_override(const std::string& option, long number) {
    return {number, 1, 1, "--set " + option};
  }

  void fail(const Place& place, const std::string& message) { errors_.push_back({place, message}); }

  static bool is_section(const std::string& name) {
    return std::any_of(schema().begin(), schema().end(),
                       [&](const Key& key) { return key.section() == name; });
  }

  /// Sorts the values of a table into entries_, by full key.
  void collect(Table&& table, const std::string& prefix, long number, const std::string& option) {
    for (auto& [leaf, node] : table) {
      const std::string name = prefix + leaf;
      const Place key_place = number ? in_override(option, number) : in_file(node.key_line, node.key_column);
      const Place place = number ? key_place : in_file(node.line, node.column);
      if (find_key(name)) {
        if (number)
          unset_alternatives(name);
        entries_[name] = {std::move(node), place, key_place,
                          number ? std::filesystem::current_path() : folder_};
      } else if (is_section(name)) {
        if (!std::holds_alternative<Table>(node.value)) {
          errors_.push_back({place, fmt::format("{}: expected a section [{}] with keys, found {}", name, name,
                                                node.describe())});
          continue;
        }
        if (!number)
          sections_.emplace(name, key_place);
        collect(std::get<Table>(std::move(node.value)), name + ".", number, option);
      } else if (errors_.size() < most_errors) {
        errors_.push_back(
            {key_place, unknown(name, std::holds_alternative<Table>(node.value) && prefix.empty())});
      } else {
        ++unsaid_errors_;
      }
    }
  }

  void unset_alternatives(const std::string& name) {
    for (const auto& group : alternatives())
      if (std::find(group.begin(), group.end(), name) != group.end())
        for (const std::string& other : group)
          if (other != name)
            entries_.erase(other);
  }

  static std::string unknown(const std::string& name, bool table) {
    std::vector<std::string> known;
    for (const Key& key : schema())
      known.push_back(key.name);
    if (table) {
      std::vector<std::string> sections;
      for (const Key& key : schema())
        if (sections.empty() || sections.back() != key.section())
          sections.push_back(key.section());
      const std::string hint = nearest(name, sections);
      return fmt::format("unknown section [{}]{}", name,
                         hint.empty() ? "; expected one of " + fmt::format("{}", fmt::join(sections, ", "))
                                      : "; did you mean [" + hint + "]?");
    }
    std::string hint = nearest(name, known);
    const std::string leaf = name.substr(name.rfind('.') + 1);
    std::vector<std::string> leaves;
    for (const Key& key : schema())
      leaves.push_back(key.leaf());
    const std::string near_leaf = nearest(leaf, leaves);
    const long by_name = hint.empty() ? 1000 : edit_distance(name, hint);
    if (!near_leaf.empty() && edit_distance(leaf, near_leaf) + 1 < by_name)
      hint = known[static_cast<std::size_t>(std::find(leaves.begin(), leaves.end(), near_leaf) -
                                            leaves.begin())];
    return fmt::format("unknown key {}{}", name,
                       hint.empty() ? "; `scoreact help deck` lists all keys"
                                    : "; did you mean " + hint + "?");
  }

  // One overload a type of option. They return what is wrong, "" if nothing.

  std::string read(const Key& key, const Node& node, bool& out) const {
    const auto* value = std::get_if<bool>(&node.value);
    if (!value)
      return wrong(key, node);
    out = *value;
    return "";
  }
  std::string read(const Key& key, const Node& node, long& out) const {
    const auto* value = std::get_if<std::int64_t>(&node.value);
    if (!value || !key.range.contains(static_cast<double>(*value)))
      return wrong(key, node);
    out = static_cast<long>(*value);
    return "";
  }
  std::string read(const Key& key, const Node& node, std::uint64_t& out) const {
    const auto* value = std::get_if<std::int64_t>(&node.value);
    if (!value || *value < 0)
      return wrong(key, node);
    out = static_cast<std::uint64_t>(*value);
    return "";
  }
  std::string read(const Key& key, const Node& node, double& out) const {
    double value = std::nan("");
    if (const auto* real = std::get_if<double>(&node.value))
      value = *real;
    if (const auto* whole = std::get_if<std::int64_t>(&node.value))
      value = static_cast<double>(*whole);
    if (!key.range.contains(value))
      return wrong(key, node);
    out = value;
    return "";
  }
  std::string read(const Key& key, const Node& node, std::string& out) const {
    const auto* value = std::get_if<std::string>(&node.value);
    if (!value)
      return wrong(key, node);
    if (!key.allowed.empty() &&
        std::find(key.allowed.begin(), key.allowed.end(), *value) == key.allowed.end()) {
      const std::string hint = nearest(*value, key.allowed);
      return wrong(key, node) + (hint.empty() ? "" : "; did you mean " + hint + "?");
    }
    if (key.form == Form::trajectories && !is_trajectory_choice(*value))
      return wrong(key, node);
    if (key.form == Form::duration && !value->empty()) {
      try {
        seconds_of_duration(*value, key.name);
      } catch (const Error&) {
        return wrong(key, node);
      }
    }
    out = *value;
    return "";
  }
  template <class T> std::string read(const Key& key, const Node& node, std::vector<T>& out) const {
    const auto* array = std::get_if<Array>(&node.value);
    if (!array) {
      if (key.form != Form::one_or_many)
        return wrong(key, node);
      out.resize(1);
      return read(key, node, out[0]);
    }
    if (static_cast<long>(array->size()) < key.shortest)
      return fmt::format("expected {}, at least {} of them, found {}", expectation(key), key.shortest,
                         node.describe());
    std::vector<T> values(array->size());
    for (std::size_t i = 0; i < array->size(); ++i) {
      const std::string problem = read(key, (*array)[i], values[i]);
      if (!problem.empty())
        return problem + fmt::format(" as element {}", i + 1);
    }
    out = std::move(values);
    return "";
  }
  std::string read(const Key& key, const Node& node, ExplorationOptions& out) const {
    const auto* table = std::get_if<Table>(&node.value);
    ExplorationOptions value;
    if (!table) {
      std::string problem = read(key, node, value.constant);
      if (problem.empty())
        out = value;
      return problem;
    }
    for (const auto& [name, part] : *table) {
      std::string problem;
      if (name == "constant")
        problem = read(key, part, value.constant);
      else if (name == "power")
        problem = read_power(part, value.power);
      else
        problem = fmt::format("expected the keys constant and power, found {}", quoted(name));
      if (!problem.empty())
        return problem;
    }
    out = value;
    return "";
  }
  static std::string read_power(const Node& node, double& out) {
    static const Key power{"power", nullptr, {}, {}, "", "", Form::plain, 0};
    double value = std::nan("");
    if (const auto* real = std::get_if<double>(&node.value))
      value = *real;
    if (const auto* whole = std::get_if<std::int64_t>(&node.value))
      value = static_cast<double>(*whole);
    if (!power.range.contains(value))
      return "expected a number as power, found " + node.describe();
    out = value;
    return "";
  }

  static std::string wrong(const Key& key, const Node& node) {
    std::string expected = expectation(key);
    const auto* whole = std::get_if<std::int64_t>(&node.value);
    const bool bound_is_said = key.range.text().find(',') != std::string::npos;
    if (whole && !bound_is_said && static_cast<double>(*whole) > key.range.high)
      expected += fmt::format(" and at most {:.0f}", key.range.high);
    return fmt::format("expected {}, found {}", expected, node.describe());
  }

  static bool is_trajectory_choice(const std::string& text) {
    if (text == "none" || text == "all")
      return true;
    const std::string start = "every:";
    if (text.rfind(start, 0) != 0 || text.size() == start.size() || text.size() > start.size() + 9)
      return false;
    const std::string count = text.substr(start.size());
    return count.find_first_not_of("0123456789") == std::string::npos &&
           count.find_first_not_of('0') != std::string::npos;
  }

  void assign(const Key& key, const Entry& entry, Deck& deck) {
    const std::string problem =
        std::visit([&](auto* option) { return read(key, entry.node, *option); }, key.slot(deck));
    if (!problem.empty()) {
      invalid_.insert(key.name);
      errors_.push_back({entry.place, key.name + ": " + problem});
    } else if (key.form == Form::path || key.form == Form::network) {
      std::string& path = *std::get<std::string*>(key.slot(deck));
      if (!path.empty() && !(key.form == Form::network && path.starts_with("hf:")))
        path = std::filesystem::absolute(entry.folder / path).lexically_normal().string();
    }
  }

  void report(const Conflict& conflict) {
    if (std::any_of(conflict.keys.begin(), conflict.keys.end(),
                    [&](const auto& key) { return invalid_.count(key) > 0; }))
      return; // already reported
    Place place = in_file(1, 1);
    const auto section = sections_.find(find_key(conflict.keys[0])->section());
    if (section != sections_.end())
      place = section->second;
    for (const std::string& key : conflict.keys) {
      const auto entry = entries_.find(key);
      if (entry == entries_.end())
        continue;
      place = entry->second.place;
      break;
    }
    errors_.push_back({place, conflict.keys[0] + ": " + conflict.message});
  }

  void throw_errors() {
    if (errors_.empty())
      return;
    std::stable_sort(errors_.begin(), errors_.end(),
                     [](const auto& a, const auto& b) { return a.first.order() < b.first.order(); });
    std::string text =
        errors_.size() == 1 ? "" : fmt::format("{} errors in the deck {}:\n", errors_.size(), name_);
    for (std::size_t i = 0; i < errors_.size(); ++i)
      text += fmt::format("{}{}: {}", i ? "\n" : "", errors_[i].first.text, errors_[i].second);
    if (unsaid_errors_ > 0)
      text += fmt::format("\nand {} more unknown keys", unsaid_errors_);
    throw Error(ExitCode::data, text);
  }

  std::string name_;
  std::filesystem::path folder_;
  bool malformed_ = false; ///< no table to check combinations in
  std::map<std::string, Entry> entries_;
  std::map<std::string, Place> sections_;
  std::vector<std::pair<std::string, std::string>> groups_set_twice_;
  std::set<std::string> invalid_;
  static constexpr std::size_t most_errors = 100; ///< beyond, unknown keys are only counted: it was no deck
  std::vector<std::pair<Place, std::string>> errors_;
  long unsaid_errors_ = 0;
};

} // namespace
} // namespace deck

Deck parse_deck(const std::string& text, const std::string& name, const std::vector<std::string>& overrides,
                DeckUse use) {
  deck::Reader reader(name);
  reader.add_file(text);
  for (std::size_t i = 0; i < overrides.size(); ++i)
    reader.add_override(overrides[i], static_cast<long>(i) + 1);
  return reader.finish(use);
}

Deck read_deck(const std::string& path, const std::vector<std::string>& overrides, DeckUse use) {
  std::error_code ignored;
  SCOREACT_REQUIRE(std::filesystem::exists(path, ignored), ExitCode::missing_input, "deck {}: no such file",
                   path);
  SCOREACT_REQUIRE(!std::filesystem::is_directory(path, ignored), ExitCode::missing_input,
                   "deck {}: expected a TOML file, found a directory", path);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  SCOREACT_REQUIRE(file.good() || (file.is_open() && text.str().empty()), ExitCode::missing_input,
                   "deck {}: cannot be read", path);
  return parse_deck(text.str(), path, overrides, use);
}

double seconds_of_duration(const std::string& text, const std::string& what) {
  long hours = 0, minutes = 0, seconds = 0;
  int used = 0;
  const bool plain = text.find_first_not_of("0123456789:") == std::string::npos && text.size() <= 12;
  const bool matched =
      plain && std::sscanf(text.c_str(), "%ld:%2ld:%2ld%n", &hours, &minutes, &seconds, &used) == 3;
  SCOREACT_REQUIRE(matched && static_cast<std::size_t>(used) == text.size() && minutes < 60 && seconds < 60,
                   ExitCode::usage, "{}: expected hh:mm:ss, found {}", what, deck::quoted(text));
  return static_cast<double>(hours * 3600 + minutes * 60 + seconds);
}

} // namespace scoreact
