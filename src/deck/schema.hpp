#pragma once
/// The schema of decks: one row a key. Reading, validation, the effective deck, help and docs/decks.md are
/// loops over it.
#include "deck/deck.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace scoreact::deck {

/// Where a key's value lives in a Deck; the alternative is the key's type.
using Slot = std::variant<bool*, long*, std::uint64_t*, double*, std::string*, std::vector<std::string>*,
                          std::vector<long>*, std::vector<double>*, std::vector<std::vector<double>>*,
                          ExplorationOptions*>;

/// Allowed numbers. `text` is what messages and documents say: "(0, 1)", ">= 1".
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;
  std::string text() const;
  bool contains(double value) const; ///< false for NaN and infinities
};

enum class Form {
  plain,
  path,         ///< relative ones are resolved
  network,      ///< the same, or hf:ORG/NAME: a folder in the cache of Hugging Face's hub
  one_or_many,  ///< a list that may also be written as its single element
  duration,     ///< hh:mm:ss or empty
  trajectories, ///< none | all | every:N
};

struct Key {
  std::string name; ///< section.key
  Slot (*slot)(Deck&);
  Range range;                      ///< numbers, and elements of lists of numbers
  std::vector<std::string> allowed; ///< strings, and elements of lists of strings; empty = any
  std::string unit;
  std::string help;
  Form form = Form::plain;
  long shortest = 0; ///< lists: fewest elements

  std::string section() const { return name.substr(0, name.rfind('.')); }
  std::string leaf() const { return name.substr(name.rfind('.') + 1); }
};

/// All keys, in the order of the documents.
const std::vector<Key>& schema();
const Key* find_key(const std::string& name);

/// A section's one-line purpose; throws std::out_of_range for a name that is no section.
const std::string& section_help(const std::string& section);

/// Keys of which a deck may set only one; setting one by --set unsets the others.
const std::vector<std::vector<std::string>>& alternatives();

/// "number in (0, 1)", "list of integers >= 1", "one of ddim, ddpm": the type for messages and documents.
std::string expectation(const Key& key);
/// "number", "list of strings", ...: the bare type.
std::string type_name(const Key& key);
/// The value of a key in TOML.
std::string toml_value(const Key& key, const Deck& deck);
/// Whether an either/or key is the one in force (true for all keys that have no alternative).
bool in_force(const Key& key, const Deck& deck);

} // namespace scoreact::deck
