/// Decks. Input: the text of a deck, then any number of --set options, each after a zero byte.
#include "deck/deck.hpp"
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  std::vector<std::string> parts(1);
  for (const char c : fuzz::as_text(data, size)) {
    if (c == '\0')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  const std::string text = parts.front();
  const std::vector<std::string> overrides(parts.begin() + 1, parts.end());
  // what is required of a deck grows from use to use
  for (const DeckUse use : {DeckUse::any, DeckUse::policy, DeckUse::training}) {
    Deck deck;
    if (!fuzz::result_or_error([&] { deck = parse_deck(text, "deck.toml", overrides, use); }))
      break;
    if (use == DeckUse::policy)
      continue;
    warnings(deck);
    // the effective deck of an accepted deck is a deck, and its own effective deck
    const std::string effective = dump_deck(deck);
    std::string again;
    const bool read =
        fuzz::result_or_error([&] { again = dump_deck(parse_deck(effective, "deck.toml", {}, use)); });
    fuzz::require(read && again == effective, "its effective deck reads back as itself");
  }
  return 0;
}
