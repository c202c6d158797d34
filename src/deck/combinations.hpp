#pragma once
/// Rules that join several keys of a deck, whatever the number of ranks.
#include "deck/deck.hpp"

#include <string>
#include <vector>

namespace scoreact::deck {

/// A broken rule: the keys that it joins (the first is where the message points) and what is wrong.
struct Conflict {
  std::vector<std::string> keys;
  std::string message;
};

std::vector<Conflict> conflicts(const Deck& deck, DeckUse use);

} // namespace scoreact::deck
