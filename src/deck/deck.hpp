#pragma once
/// A deck: the TOML file that describes a run. One schema table (src/deck/schema.cpp) binds keys to the
/// options structs of the components; reading, validation, the effective deck, `scoreact help deck` and
/// docs/decks.md all come from it.
#include "diffusion/diffusion_options.hpp"
#include "evaluation/evaluate_options.hpp"
#include "models/model_options.hpp"
#include "pretraining/pretrain_options.hpp"
#include "rewards/reward_options.hpp"
#include "rl/rl_options.hpp"
#include "run/run_options.hpp"
#include "store/store_options.hpp"

#include <string>
#include <vector>

namespace scoreact {

struct Deck {
  RunOptions run;
  ModelOptions model;
  ScheduleOptions schedule;
  SampleOptions sample;
  PromptOptions prompts;
  RewardOptions reward;
  AlgorithmOptions algorithm;
  TrainOptions train;
  ValueOptions value;
  PromptStatOptions per_prompt_stat_tracking;
  EvaluateOptions evaluate;
  StoreOptions store;
  DataOptions data;
  NetworkOptions network;
  PretrainOptions pretrain;
  std::string path; ///< file the deck was read from
};

/// What a deck is read for: decides which keys have no default that could work and so must be set.
enum class DeckUse {
  any,      ///< nothing is required
  policy,   ///< sampling and evaluation: a model
  training, ///< finetune and value-study: a model and a reward
  pretrain, ///< pretrain: training data
};

/// Reads and validates a deck. `overrides` are "section.key=value": the value is read as TOML, else taken as
/// a bare string. Relative paths in the file become absolute from the file's folder, those in overrides from
/// the working directory. Throws Error{missing_input} if there is no such file, Error{usage} for an override
/// without key or '=', and Error{data} that lists every error of deck and overrides, one a line, as
/// file:line:column.
Deck read_deck(const std::string& path, const std::vector<std::string>& overrides = {},
               DeckUse use = DeckUse::any);

/// The same for text that stands in memory; `name` stands for the file in messages and its folder is where
/// relative paths start.
Deck parse_deck(const std::string& text, const std::string& name,
                const std::vector<std::string>& overrides = {}, DeckUse use = DeckUse::any);

/// The effective deck as TOML: every key, defaults included (of an either/or pair the one in force). Reads
/// back to the same deck.
std::string dump_deck(const Deck& deck);

/// Settings that are allowed and known to go wrong, one sentence each.
std::vector<std::string> warnings(const Deck& deck);

/// Every key with type, default, range, unit and meaning: for the terminal, and as docs/decks.md.
std::string help_deck();
std::string help_deck_markdown();

/// Seconds of "hh:mm:ss" (hours may have more digits). Throws Error{usage} naming `what` for anything else.
double seconds_of_duration(const std::string& text, const std::string& what);

} // namespace scoreact
