#include "deck/deck.hpp"
#include "deck/schema.hpp"
#include "deck/toml_document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

namespace scoreact {
namespace {

using testing::HasSubstr;

TEST(DumpDeck, ReadsBackToTheSameDeck) {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"train.clip_range_mean=1.5e-5", "train.num_times=5", "algorithm.exploration={constant=0.3, power=-1}"},
      {"prompts.list=[\"a \\\"quoted\\\" \\\\ prompt\", \"two\\nlines\", \"\\u0001 snow \u2603\"]",
       "reward.kind=[\"linear\", \"quadratic\"]"},
      {"model.analytic.means=[[0.1, 1e-300], [3, 4]]", "model.analytic.weights=[1, 1e16]",
       "model.analytic.stds=[0.1, 12345678.9]"},
      {"model.path=relative/model", "run.seed=9223372036854775807",
       "evaluate.solvers=[\"ddim\", \"heun_sde\"]"},
      {"prompts.classes=[0, 9]", "run.deterministic=false", "store.trajectories=every:10"},
      {"prompts.file=p.txt", "run.max_time=100:00:00"},
  };
  for (const auto& overrides : variants) {
    const Deck deck = parse_deck("", "inputs/deck.toml", overrides);
    const std::string text = dump_deck(deck);
    EXPECT_EQ(dump_deck(parse_deck(text, "/elsewhere/deck.toml")), text) << text;
  }
}

TEST(DumpDeck, HoldsDefaultsAndOnlyTheKeyInForceOfAnEitherOrPair) {
  const std::string text = dump_deck(parse_deck("", "d", {"train.clip_range_mean=1e-4"}));
  EXPECT_THAT(text, HasSubstr("[run]\nname = \"run\"\nseed = 42\n"));
  EXPECT_THAT(text, HasSubstr("clip_range_mean = 0.0001\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("clip_range = ")));
}

TEST(Toml, NumbersReadBackToTheSameBits) {
  for (const double value :
       {0.1, 1.0 / 3, 1e-308, 5e-324, 1e22, -0.0, 123456789012345680.0, std::numeric_limits<double>::max()}) {
    const auto parsed = deck::parse_toml("x = " + deck::number(value));
    const auto* table = std::get_if<deck::Table>(&parsed);
    ASSERT_TRUE(table) << deck::number(value);
    EXPECT_EQ(std::get<double>(table->front().second.value), value) << deck::number(value);
  }
}

TEST(Schema, EveryKeyIsDocumentedOnceAndHasADefaultInItsOwnRange) {
  std::set<std::string> names;
  for (const deck::Key& key : deck::schema()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name << " twice";
    EXPECT_FALSE(key.help.empty()) << key.name;
    EXPECT_FALSE(deck::section_help(key.section()).empty());
    EXPECT_THAT(help_deck(), HasSubstr(key.leaf()));
    EXPECT_THAT(help_deck(), HasSubstr("[" + key.section() + "]"));
  }
  for (const auto& group : deck::alternatives())
    for (const std::string& name : group)
      EXPECT_TRUE(deck::find_key(name)) << name;
}

TEST(Schema, NoTwoKeysShareAnOption) {
  Deck deck;
  std::set<const void*> seen;
  for (const deck::Key& key : deck::schema())
    EXPECT_TRUE(
        seen.insert(std::visit([](auto* value) -> const void* { return value; }, key.slot(deck))).second)
        << key.name;
}

TEST(Documentation, DecksPageIsWhatTheSchemaPrints) {
  const char* const source = std::getenv("SCOREACT_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "run through ctest";
  std::ifstream file(std::string(source) + "/docs/decks.md");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), help_deck_markdown())
      << "refresh with: scoreact help deck --markdown > docs/decks.md";
}

} // namespace
} // namespace scoreact
