#include "deck/deck.hpp"
#include "deck/schema.hpp"
#include "error/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace scoreact {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// The error that reading gives, with its exit code; fails the test if there is none.
Error error_of(const std::string& text, const std::vector<std::string>& overrides = {},
               DeckUse use = DeckUse::any) {
  try {
    parse_deck(text, "deck.toml", overrides, use);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted:\n" << text;
  return Error(ExitCode::success, "");
}

std::string message_of(const std::string& text, const std::vector<std::string>& overrides = {},
                       DeckUse use = DeckUse::any) {
  const Error error = error_of(text, overrides, use);
  EXPECT_EQ(error.code(), ExitCode::data);
  return error.what();
}

TEST(Deck, EmptyTextGivesTheDefaultsOfTheOptions) {
  const Deck deck = parse_deck("", "deck.toml");
  EXPECT_EQ(dump_deck(deck), dump_deck(Deck{}));
  EXPECT_EQ(deck.path, "deck.toml");
}

TEST(Deck, ReadsEveryTypeOfKey) {
  const Deck deck = parse_deck(R"(
[run]
seed = 7
deterministic = false
max_time = "01:30:00"
[model]
kind = "analytic"
[model.analytic]
weights = [1, 2.5]
means = [[0, 1], [2.0, -3]]
stds = [0.5, 1]
[sample]
eta = 1
[reward]
kind = ["linear", "quadratic"]
weights = [1, 0.5]
vector = [1, 2]
center = [0, 0]
[prompts]
classes = [3, 4]
)",
                               "deck.toml");
  EXPECT_EQ(deck.run.seed, 7u);
  EXPECT_FALSE(deck.run.deterministic);
  EXPECT_EQ(deck.run.max_time, "01:30:00");
  EXPECT_EQ(deck.model.kind, "analytic");
  EXPECT_EQ(deck.model.analytic.weights, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(deck.model.analytic.means, (std::vector<std::vector<double>>{{0, 1}, {2, -3}}));
  EXPECT_EQ(deck.sample.eta, 1.0);
  EXPECT_EQ(deck.reward.kind, (std::vector<std::string>{"linear", "quadratic"}));
  EXPECT_EQ(deck.prompts.classes, (std::vector<long>{3, 4}));
}

TEST(Deck, AcceptsOneRewardWithoutAList) {
  EXPECT_EQ(parse_deck("reward.kind = \"linear\"", "deck.toml").reward.kind,
            std::vector<std::string>{"linear"});
}

TEST(Deck, ExplorationIsANumberOrATable) {
  const Deck number = parse_deck("algorithm.exploration = 2", "deck.toml");
  EXPECT_EQ(number.algorithm.exploration.constant, 2.0);
  EXPECT_EQ(number.algorithm.exploration.power, 0.0);
  const Deck table = parse_deck("[algorithm.exploration]\nconstant = 0.3\npower = -1", "deck.toml");
  EXPECT_EQ(table.algorithm.exploration.constant, 0.3);
  EXPECT_EQ(table.algorithm.exploration.power, -1.0);
  EXPECT_THAT(message_of("[algorithm]\nexploration = { constant = 1, powr = 2 }"),
              HasSubstr("found \"powr\""));
  EXPECT_THAT(message_of("[algorithm]\nexploration = -1"), HasSubstr(">= 0, found the integer -1"));
  EXPECT_THAT(message_of("[algorithm]\nexploration = { power = nan }"),
              HasSubstr("expected a number as power"));
}

TEST(Deck, EveryKeyIsReadWhereTheSchemaSaysItLies) {
  for (const deck::Key& key : deck::schema()) {
    Deck changed;
    std::visit(
        [](auto* value) {
          using T = std::decay_t<decltype(*value)>;
          if constexpr (std::is_same_v<T, bool>)
            *value = !*value;
        },
        key.slot(changed));
    const std::string text = key.name + " = " + deck::toml_value(key, changed);
    if (!deck::in_force(key, Deck{}))
      continue; // off by default; its value may not be written
    const Deck read = parse_deck(text, "deck.toml");
    EXPECT_EQ(deck::toml_value(key, read), deck::toml_value(key, changed)) << text;
  }
}

TEST(DeckErrors, UnknownKeyNamesTheNearestOne) {
  EXPECT_THAT(message_of("[sample]\nnum_step = 3\n"),
              HasSubstr("deck.toml:2:1: unknown key sample.num_step; did you mean sample.num_steps?"));
  EXPECT_THAT(message_of("epochs = 3\n"), HasSubstr("did you mean run.epochs?"));
  EXPECT_THAT(message_of("[sample]\nclip_range = 0.1\n"), HasSubstr("did you mean train.clip_range?"));
  EXPECT_THAT(message_of("[run]\nqqqqqqqqqqqqqqqq = 0.1\n"),
              AllOf(HasSubstr("unknown key"), Not(HasSubstr("did you mean"))));
}

TEST(DeckErrors, UnknownSectionNamesTheNearestOne) {
  EXPECT_THAT(message_of("\n\n[sampel]\nnum_steps = 3\n"),
              HasSubstr("deck.toml:3:2: unknown section [sampel]; did you mean [sample]?"));
  EXPECT_THAT(message_of("sample = 3"),
              HasSubstr("expected a section [sample] with keys, found the integer 3"));
  EXPECT_THAT(message_of("[[sample]]\neta = 1"), HasSubstr("expected a section [sample]"));
}

TEST(DeckErrors, WrongTypesSayWhatWasExpectedAndFound) {
  EXPECT_THAT(message_of("[sample]\nnum_steps = \"many\"\n"),
              HasSubstr("deck.toml:2:13: sample.num_steps: expected an integer in [1, 1000000], found the "
                        "string \"many\""));
  EXPECT_THAT(message_of("[sample]\nnum_steps = 3.0\n"), HasSubstr("found the number 3.0"));
  EXPECT_THAT(message_of("[run]\ndeterministic = 1\n"),
              HasSubstr("expected true or false, found the integer 1"));
  EXPECT_THAT(message_of("[run]\nname = 3\n"), HasSubstr("expected a string, found the integer 3"));
  EXPECT_THAT(message_of("[evaluate]\nsteps = 10\n"), HasSubstr("expected a list of integers"));
  EXPECT_THAT(message_of("[evaluate]\nsteps = [10, \"x\"]\n"),
              HasSubstr("found the string \"x\" as element 2"));
  EXPECT_THAT(message_of("[run]\nname = 2026-01-01\n"), HasSubstr("found the date 2026-01-01"));
  EXPECT_THAT(message_of("[model.analytic]\nmeans = [1, 2]\n"),
              HasSubstr("expected a list of lists of numbers"));
}

TEST(DeckErrors, NumbersOutOfRangeAreRefused) {
  EXPECT_THAT(
      message_of("[train]\nclip_range = 2\n"),
      HasSubstr("deck.toml:2:14: train.clip_range: expected a number in (0, 1), found the integer 2"));
  for (const char* value : {"0.0", "1.0", "-0.1", "nan", "inf", "-inf"})
    EXPECT_THAT(message_of(std::string("[train]\nclip_range = ") + value),
                HasSubstr("expected a number in (0, 1)"))
        << value;
  EXPECT_THAT(message_of("[run]\nepochs = 0\n"), HasSubstr("an integer >= 1, found the integer 0"));
  EXPECT_THAT(message_of("[run]\nepochs = 4000000000\n"), HasSubstr("at most 1000000000"));
  EXPECT_THAT(message_of("[run]\nseed = -1\n"), HasSubstr("found the integer -1"));
  EXPECT_THAT(message_of("[evaluate]\nsteps = []\n"), HasSubstr("at least 1 of them, found an empty list"));
}

TEST(DeckErrors, UnknownChoicesListTheAllowedOnes) {
  EXPECT_THAT(message_of("[sample]\nsolver = \"dimm\"\n"),
              AllOf(HasSubstr("one of ddim, ddpm, euler_maruyama"), HasSubstr("found the string \"dimm\""),
                    HasSubstr("did you mean")));
  EXPECT_THAT(message_of("[reward]\nkind = [\"linear\", \"nice\"]\n"),
              HasSubstr("found the string \"nice\""));
  EXPECT_THAT(message_of("[store]\ntrajectories = \"every:0\"\n"), HasSubstr("none, all or every:N"));
  EXPECT_THAT(message_of("[run]\nmax_time = \"1 hour\"\n"), HasSubstr("hh:mm:ss"));
}

TEST(DeckErrors, DuplicateAndMalformedTomlSayWhere) {
  EXPECT_THAT(message_of("[run]\nseed = 1\nseed = 2\n"), HasSubstr("deck.toml:3:"));
  EXPECT_THAT(message_of("[run]\n[run]\n"), HasSubstr("deck.toml:2:"));
  EXPECT_THAT(message_of("[run\nseed = 1\n"), HasSubstr("deck.toml:1:"));
  EXPECT_THAT(message_of("[run]\nseed 1\n"), HasSubstr("deck.toml:2:"));
  EXPECT_THAT(message_of("[run]\nname = \"\xff\xfe\"\n"), HasSubstr("deck.toml:2:"));
}

TEST(DeckErrors, BothOfAnEitherOrPairAreRefused) {
  EXPECT_THAT(message_of("[train]\nclip_range = 0.2\nclip_range_mean = 1e-4\n"),
              HasSubstr("deck.toml:3:1: train.clip_range_mean and train.clip_range are both set"));
  EXPECT_THAT(message_of("[train]\nnum_times = 5\ntimestep_fraction = 0.5\n"), HasSubstr("both set"));
  EXPECT_THAT(message_of("[prompts]\nlist = [\"a\"]\nfile = \"f\"\n"), HasSubstr("both set"));
}

TEST(DeckErrors, AllAreListedAtOnceInTheOrderOfTheFile) {
  const std::string message = message_of(
      "[run]\nepochs = 0\nsede = 3\n[train]\nclip_range = 3.0\nminibatch_size = 96\n", {"sample.eta=7"});
  EXPECT_THAT(message, HasSubstr("5 errors in the deck deck.toml:\n"
                                 "deck.toml:2:10: run.epochs"));
  std::size_t at = 0;
  for (const char* part : {"\ndeck.toml:2:10: run.epochs", "\ndeck.toml:3:1: unknown key run.sede",
                           "\ndeck.toml:5:14: train.clip_range", "\ndeck.toml:6:18: train.minibatch_size",
                           "\n--set sample.eta=7: sample.eta"}) {
    const std::size_t found = message.find(part, at);
    ASSERT_NE(found, std::string::npos) << part << "\nin\n" << message;
    at = found + 1;
  }
}

TEST(Overrides, ReplaceKeysAndAreValidatedAtTheEnd) {
  const Deck deck = parse_deck("[train]\nclip_range = 7.0\n[run]\nseed = 1\n", "deck.toml",
                               {"train.clip_range=0.1", "run.seed=5", "run.seed=6", "run.name=blue whale"});
  EXPECT_EQ(deck.train.clip_range, 0.1);
  EXPECT_EQ(deck.run.seed, 6u);
  EXPECT_EQ(deck.run.name, "blue whale");
}

TEST(Overrides, ReadTomlElseABareString) {
  const Deck deck = parse_deck("", "deck.toml",
                               {"sample.solver=ddpm", "run.name=\"quoted\"", "evaluate.steps=[1, 2]",
                                "sample.eta=1", "run.max_time=01:00:00",
                                "algorithm.exploration={constant=2, power=1}", "prompts.list=[\"a=b\"]"});
  EXPECT_EQ(deck.sample.solver, "ddpm");
  EXPECT_EQ(deck.run.name, "quoted");
  EXPECT_EQ(deck.evaluate.steps, (std::vector<long>{1, 2}));
  EXPECT_EQ(deck.run.max_time, "01:00:00");
  EXPECT_EQ(deck.algorithm.exploration.power, 1.0);
  EXPECT_EQ(deck.prompts.list, std::vector<std::string>{"a=b"});
}

TEST(Overrides, OneOfAnEitherOrPairUnsetsTheOther) {
  Deck deck = parse_deck("[train]\nclip_range = 0.1\nnum_times = 5\n", "deck.toml",
                         {"train.clip_range_mean=1e-4", "train.timestep_fraction=0.5"});
  EXPECT_EQ(deck.train.clip_range_mean, 1e-4);
  EXPECT_EQ(deck.train.clip_range, Deck{}.train.clip_range);
  EXPECT_EQ(deck.train.num_times, 0);
  EXPECT_EQ(deck.train.timestep_fraction, 0.5);
  deck = parse_deck("[train]\nclip_range_mean = 1e-4\n[prompts]\nlist=[\"a\"]", "deck.toml",
                    {"train.clip_range=0.3", "prompts.classes=[1]"});
  EXPECT_EQ(deck.train.clip_range_mean, 0.0);
  EXPECT_TRUE(deck.prompts.list.empty());
  EXPECT_EQ(deck.prompts.classes, std::vector<long>{1});
}

TEST(Overrides, WithoutKeyOrEqualsSignAreUsageErrors) {
  for (const char* option : {"", "=", "=3", "run.seed", "run.seed 3"}) {
    const Error error = error_of("", {option});
    EXPECT_EQ(error.code(), ExitCode::usage) << option;
    EXPECT_THAT(error.what(), HasSubstr("expected section.key=value"));
  }
}

TEST(Overrides, WithUnknownKeysOrBadValuesAreListedByTheirText) {
  EXPECT_THAT(message_of("", {"run.sed=3"}),
              HasSubstr("--set run.sed=3: unknown key run.sed; did you mean run.seed?"));
  EXPECT_THAT(message_of("", {"run.epochs=many"}),
              HasSubstr("--set run.epochs=many: run.epochs: expected an integer >= 1"));
  EXPECT_THAT(message_of("", {"run.seed=1\nrun.name=\"x\""}), HasSubstr("run.seed: expected an integer"));
  EXPECT_THAT(message_of("", {"run.name=\xff"}), HasSubstr("UTF-8"));
}

TEST(Paths, StartAtTheDeckOrForOverridesAtTheWorkingDirectory) {
  const std::string here = std::filesystem::current_path().string();
  const Deck deck = parse_deck("[model]\npath = \"../models/base\"\n[data]\npath = \"/abs/x.csv\"\n",
                               "/some/inputs/deck.toml", {"reward.path=judge"});
  EXPECT_EQ(deck.model.path, "/some/models/base");
  EXPECT_EQ(deck.data.path, "/abs/x.csv");
  EXPECT_EQ(deck.reward.path, here + "/judge");
  EXPECT_EQ(parse_deck("model.path = \"m\"", "sub/deck.toml").model.path, here + "/sub/m");
  EXPECT_EQ(parse_deck("model.path = \"hf:org/name\"", "sub/deck.toml").model.path, "hf:org/name");
  EXPECT_EQ(deck.evaluate.judge, "") << "an empty path stays empty";
}

TEST(ReadDeck, SaysThatAFileIsMissing) {
  for (const std::string path : {"no/such/deck.toml", "."}) {
    try {
      read_deck(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::missing_input);
      EXPECT_THAT(error.what(), HasSubstr(path));
    }
  }
}

TEST(ReadDeck, ReadsAFile) {
  const auto path = std::filesystem::temp_directory_path() / "scoreact_deck_test.toml";
  std::ofstream(path) << "[run]\nseed = 11\n";
  EXPECT_EQ(read_deck(path.string()).run.seed, 11u);
  std::ofstream(path, std::ios::trunc).close();
  EXPECT_EQ(read_deck(path.string()).run.seed, 42u) << "an empty deck has defaults only";
  std::filesystem::remove(path);
}

TEST(Duration, IsHoursMinutesSeconds) {
  EXPECT_EQ(seconds_of_duration("01:02:03", "x"), 3723.0);
  EXPECT_EQ(seconds_of_duration("100:00:00", "x"), 360000.0);
  for (const char* bad :
       {"", "1:2", "00:60:00", "00:00:60", "1:00:00x", "-1:00:00", "1h", "::", "99999999999999:00:00"})
    EXPECT_THROW(seconds_of_duration(bad, "x"), Error) << bad;
}

} // namespace
} // namespace scoreact
