/// Decks that were damaged at random: reading either gives a deck or a deck error, and never anything else.
#include "deck/deck.hpp"
#include "deck/suggest.hpp"
#include "error/error.hpp"

#include <gtest/gtest.h>

#include <random>

namespace scoreact {
namespace {

enum class Outcome { read, refused };

Outcome outcome(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse_deck(text, "deck.toml", overrides);
    return Outcome::read;
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ExitCode::data || error.code() == ExitCode::usage) << error.what();
    EXPECT_GT(std::string(error.what()).size(), 0u);
    return Outcome::refused;
  }
}

TEST(DamagedDecks, AreReadOrRefusedButNeverCrash) {
  const std::string good = dump_deck(Deck{});
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  int refused = 0;
  for (int i = 0; i < 600; ++i) {
    std::string text = good;
    const std::size_t changes = 1 + below(4);
    for (std::size_t k = 0; k < changes; ++k) {
      const std::size_t at = below(text.size());
      switch (below(5)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, 1 + below(40));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), below(60)));
        break;
      case 3:
        text.insert(at, 1, "[]{}=\"'.,#\n\\"[below(12)]);
        break;
      default:
        text.resize(at + 1);
      }
      if (text.empty())
        text = "x";
    }
    refused += outcome(text) == Outcome::refused;
  }
  EXPECT_GT(refused, 300) << "the damage is hardly felt: the test has lost its point";
}

TEST(DamagedDecks, OfRandomBytesAreRefused) {
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    std::string text(1 + random() % 200, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 256);
    outcome(text);
    outcome("", {"run.name=" + text});
    outcome("", {text});
  }
}

TEST(DamagedDecks, CannotExhaustTheStack) {
  std::string dotted = "a";
  for (int i = 0; i < 500000; ++i)
    dotted += ".a";
  EXPECT_EQ(outcome(dotted + " = 1"), Outcome::refused);
  EXPECT_EQ(outcome("[" + dotted + "]"), Outcome::refused);
  EXPECT_EQ(outcome("x = " + std::string(100000, '[')), Outcome::refused);
  EXPECT_EQ(outcome("x = {" + dotted + " = 1}"), Outcome::refused);
  EXPECT_EQ(outcome(std::string(5 << 20, '\n')), Outcome::refused);
}

TEST(DamagedDecks, WithALetterAfterAValueAreRefused) {
  // toml++ takes it for impossible; what its optimised code does then is anybody's guess
  for (const char* letter : {"\u00e9", "\u03b1", "\u4e2d", "\U0001f600"})
    EXPECT_EQ(outcome(std::string("[sample]\nnum_steps = 10") + letter + "\n"), Outcome::refused) << letter;
}

TEST(DamagedDecks, OfManyLinesTakeNoLongerThanGoodOnes) {
  std::string lines = "[.a]\n";
  lines.insert(0, 100000, '\n');
  try {
    parse_deck(lines, "deck.toml");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("deck.toml:100001:"), std::string::npos) << error.what();
  }
  std::string unknown;
  for (int i = 0; i < 20000; ++i)
    unknown += "k" + std::to_string(i) + " = 1\n";
  try {
    parse_deck(unknown, "deck.toml");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("and 19900 more unknown keys"), std::string::npos);
  }
}

TEST(DamagedDecks, WithManyNumbersAreNotMistakenForDeepOnes) {
  std::string numbers = "reward.vector = [0.5";
  for (int i = 0; i < 20000; ++i)
    numbers += ", -0.25";
  EXPECT_EQ(outcome(numbers + "]"), Outcome::read);
  EXPECT_EQ(outcome("prompts.list = [\"" + std::string(5000, '.') + "\"] # " + std::string(5000, '.')),
            Outcome::read);
}

} // namespace
} // namespace scoreact
