/// Decks and their documentation as text.
#include "deck/schema.hpp"
#include "deck/toml_document.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace scoreact {
namespace deck {
namespace {

std::string joined(const std::vector<std::string>& words, const char* separator = ", ") {
  return fmt::format("{}", fmt::join(words, separator));
}

struct TypeName {
  std::string operator()(bool*) const { return "true or false"; }
  std::string operator()(long*) const { return "integer"; }
  std::string operator()(std::uint64_t*) const { return "integer"; }
  std::string operator()(double*) const { return "number"; }
  std::string operator()(std::string*) const { return "string"; }
  std::string operator()(std::vector<std::string>*) const { return "list of strings"; }
  std::string operator()(std::vector<long>*) const { return "list of integers"; }
  std::string operator()(std::vector<double>*) const { return "list of numbers"; }
  std::string operator()(std::vector<std::vector<double>>*) const { return "list of lists of numbers"; }
  std::string operator()(ExplorationOptions*) const { return "number or {constant, power}"; }
};

template <class T> std::string list_of(const std::vector<T>& elements);

std::string toml(bool value) { return value ? "true" : "false"; }
std::string toml(long value) { return fmt::format("{}", value); }
std::string toml(std::uint64_t value) { return fmt::format("{}", value); }
std::string toml(double value) { return number(value); }
std::string toml(const std::string& value) { return quoted(value); }
std::string toml(const ExplorationOptions& value) {
  if (value.power == 0)
    return number(value.constant);
  return fmt::format("{{ constant = {}, power = {} }}", number(value.constant), number(value.power));
}
template <class T> std::string toml(const std::vector<T>& value) { return list_of(value); }

template <class T> std::string list_of(const std::vector<T>& elements) {
  std::vector<std::string> texts;
  for (const T& element : elements)
    texts.push_back(toml(element));
  return fmt::format("[{}]", joined(texts));
}

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width)
      lines.emplace_back();
    lines.back() += fmt::format("{}{}", lines.back().empty() ? "" : " ", word);
    start = end + 1;
  }
  return lines;
}

/// Allowed values or range, without the type.
std::string limits(const Key& key) {
  switch (key.form) {
  case Form::trajectories:
    return "none, all or every:N";
  case Form::duration:
    return "hh:mm:ss or empty";
  default:
    return key.allowed.empty() ? key.range.text() : joined(key.allowed);
  }
}

/// What stands in the documents as default; an either/or key that is off by default has none.
std::string default_text(const Key& key) {
  const Deck defaults;
  return in_force(key, defaults) ? toml_value(key, defaults) : "not set";
}

std::string alternatives_sentence() {
  std::vector<std::string> groups;
  for (const auto& group : alternatives())
    groups.push_back(joined(group, " or "));
  return fmt::format("Only one key may be set of {}.", joined(groups, "; of "));
}

const char* const introduction =
    "A deck is a TOML file that describes one run. Every key has a default, so a deck holds only what "
    "differs; a key\n"
    "that is unknown, of the wrong type, out of range or at odds with another one is an error, and all "
    "errors are\n"
    "reported at once. `--set section.key=value` overrides a key for one run: the value is read as TOML, "
    "else taken\n"
    "as a bare string. Relative paths start at the deck's folder, in `--set` at the working directory.";

const char* const translation =
    "Coming from ddpo-pytorch or TRL: keys of the same name mean the same, but sizes of batches are global, "
    "so that\n"
    "a deck means the same run on any number of GPUs. With R processes there,\n"
    "\n"
    "    sample.samples_per_epoch = R * sample.batch_size * sample.num_batches_per_epoch\n"
    "    train.minibatch_size     = R * train.batch_size * train.gradient_accumulation_steps\n"
    "    train.clip_range_mean    = train.clip_range   (theirs clips a mean over dimensions)\n"
    "\n"
    "and micro_batch_size only says how many samples fit into memory at once.";

} // namespace

std::string type_name(const Key& key) {
  Deck deck;
  if (key.form == Form::one_or_many)
    return "string or list of strings";
  return std::visit(TypeName{}, key.slot(deck));
}

std::string expectation(const Key& key) {
  const bool plain_string = std::holds_alternative<std::string*>([&] {
    static Deck deck;
    return key.slot(deck);
  }());
  std::string limit = limits(key);
  if (key.form == Form::trajectories || key.form == Form::duration)
    return limit;
  if (plain_string)
    return limit.empty() ? "a string" : fmt::format("one of {}", limit);
  const std::string name = type_name(key);
  const char* const article = name == "integer" ? "an " : name == "true or false" ? "" : "a ";
  std::string type = fmt::format("{}{}", article, name);
  if (limit.empty())
    return type;
  if (!key.allowed.empty())
    return fmt::format("{}, each one of {}", type, limit);
  const char* const connection = limit[0] == '[' || limit[0] == '(' ? "in " : "";
  const bool many = type.find("list") != std::string::npos;
  return fmt::format("{}{} {}{}", type, many ? ", each" : "", connection, limit);
}

std::string toml_value(const Key& key, const Deck& deck) {
  Deck copy = deck;
  return std::visit([](const auto* value) { return toml(*value); }, key.slot(copy));
}

} // namespace deck

std::string dump_deck(const Deck& deck) {
  std::string text, section;
  for (const deck::Key& key : deck::schema()) {
    if (!deck::in_force(key, deck))
      continue;
    if (key.section() != section) {
      text += fmt::format("{}[{}]\n", section.empty() ? "" : "\n", key.section());
      section = key.section();
    }
    text += fmt::format("{} = {}\n", key.leaf(), deck::toml_value(key, deck));
  }
  return text;
}

std::string help_deck() {
  std::string text = fmt::format("{}\n{}\n", deck::introduction, deck::alternatives_sentence());
  std::string section;
  for (const deck::Key& key : deck::schema()) {
    if (key.section() != section) {
      section = key.section();
      text += fmt::format("\n[{}]  {}\n", section, deck::section_help(section));
    }
    const std::string limit = deck::limits(key);
    text += fmt::format("  {:<22} {}{}{}; default {}{}\n", key.leaf(), deck::type_name(key),
                        limit.empty() ? "" : ": ", limit, deck::default_text(key),
                        key.unit.empty() ? "" : fmt::format(" [{}]", key.unit));
    for (const std::string& line : deck::wrapped(key.help, 84))
      text += fmt::format("  {:<22} {}\n", "", line);
  }
  return fmt::format("{}\n{}\n", text, deck::translation);
}

std::string help_deck_markdown() {
  std::string text = "# Decks\n\nThis page is printed by `scoreact help deck --markdown`, from the table "
                     "that validates decks.\n\n";
  text += fmt::format("{}\n{}\n", deck::introduction, deck::alternatives_sentence());
  std::string section;
  const auto cell = [](const std::string& content) {
    std::string escaped;
    for (const char c : content) {
      if (c == '|')
        escaped += '\\';
      escaped += c;
    }
    return escaped;
  };
  for (const deck::Key& key : deck::schema()) {
    if (key.section() != section) {
      section = key.section();
      text += fmt::format("\n## [{}]\n\n{}\n\n| key | type | default | allowed | unit | meaning "
                          "|\n|---|---|---|---|---|---|\n",
                          section, deck::section_help(section));
    }
    text += fmt::format("| `{}` | {} | `{}` | {} | {} | {} |\n", key.leaf(), deck::type_name(key),
                        deck::default_text(key), cell(deck::limits(key)), key.unit, cell(key.help));
  }
  return fmt::format("{}\n## Coming from another tool\n\n{}\n", text, deck::translation);
}

} // namespace scoreact
