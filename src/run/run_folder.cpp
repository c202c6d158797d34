#include "run/run_folder.hpp"

#include "deck/deck.hpp"
#include "run/continued_run_file.hpp"
#include "run/instruction_set.hpp"
#include "run/versions.hpp"
#include "store/atomic_file.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <set>
#include <sstream>

namespace scoreact {

namespace {

void warn(const std::string& line) { fmt::print(stderr, "scoreact: warning: {}\n", line); }

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

/// What of a deck decides the bits of a run: not its length in epochs, nor what is saved, shown and
/// evaluated.
std::string decisive_part(const std::string& text, const std::string& name) {
  Deck deck = parse_deck(text, name);
  const RunOptions all = deck.run;
  deck.run = {};
  deck.run.seed = all.seed;
  deck.run.precision = all.precision;
  deck.run.deterministic = all.deterministic;
  deck.store = {};
  deck.evaluate = {};
  deck.sample.micro_batch_size = deck.train.micro_batch_size = 1; // other ranks may need other ones
  const PretrainOptions defaults;
  deck.pretrain.micro_batch_size = defaults.micro_batch_size;
  deck.pretrain.save_freq = defaults.save_freq;
  deck.pretrain.sample_freq = defaults.sample_freq;
  deck.pretrain.out = defaults.out;
  return dump_deck(deck);
}

/// Throws Error{data} naming the first setting in which the deck of a stopped run differs from the one at
/// hand.
void require_same_deck(const std::filesystem::path& run, const std::string& before, const std::string& now) {
  std::istringstream old_lines(decisive_part(before, "deck.toml")),
      new_lines(decisive_part(now, "deck.toml"));
  std::string old_line, new_line;
  while (std::getline(old_lines, old_line) && std::getline(new_lines, new_line))
    SCOREACT_REQUIRE(
        old_line == new_line, ExitCode::data,
        "{}: this run was started with another deck: expected \"{}\" as before, found \"{}\"; use another "
        "--out, or delete the folder",
        run.string(), old_line, new_line);
}

/// Rows of the networks' calls, as a warning names them.
std::string micro_batches(const std::string& text) {
  const Deck deck = parse_deck(text, "deck.toml");
  return fmt::format("sample {}, train {}, pretrain {}", deck.sample.micro_batch_size,
                     deck.train.micro_batch_size, deck.pretrain.micro_batch_size);
}

bool has_columns(const RunFile& file, const std::vector<MetricInfo>& metrics) {
  const auto names = [](const std::vector<MetricInfo>& all) {
    std::set<std::string> set;
    for (const MetricInfo& info : all)
      set.insert(info.name);
    return set;
  };
  return names(file.metrics()) == names(metrics);
}

} // namespace

RunFolder::RunFolder(RunFolderSetup setup, const Communicator& ranks)
    : setup_(std::move(setup)), ranks_(ranks), directory_(setup_.path),
      stop_(setup_.path / "stop",
            setup_.run.max_time.empty() ? 0.0 : seconds_of_duration(setup_.run.max_time, "run.max_time")) {
  if (ranks_.root()) {
    directory_ = RunDirectory::create(setup_.path);
    lock_.emplace(directory_);
    std::filesystem::remove(setup_.path / "stop");
  }
  if (ranks_.root() && ranks_.size() > 1)
    lock_->share();
  ranks_.barrier();
  if (!ranks_.root())
    lock_.emplace(RunLock::join(directory_, ranks_.rank()));
  checkpoint_ = find_checkpoint();
  if (setup_.run.deterministic)
    warn_of_other_instructions();
  if (!checkpoint_)
    return;
  const std::string before = checkpoint_->state().at("deck").get<std::string>();
  require_same_deck(setup_.path, before, setup_.deck);
  if (setup_.run.deterministic && ranks_.root() && micro_batches(before) != micro_batches(setup_.deck))
    warn(fmt::format(
        "{}: goes on with other micro-batches ({}, before {}): the bits may differ from those of a "
        "run that was not stopped",
        setup_.path.string(), micro_batches(setup_.deck), micro_batches(before)));
  last_checkpoint_ = checkpoint_->epoch();
}

std::optional<LoadedCheckpoint> RunFolder::find_checkpoint() const {
  std::string folder; // rank 0 chooses, so that all take the same one
  if (ranks_.root()) {
    const auto newest = latest_checkpoint(directory_.checkpoints(), warn);
    SCOREACT_REQUIRE(
        newest || list_checkpoints(directory_.checkpoints()).empty(), ExitCode::data,
        "{}: none of the checkpoints is sound, and nothing was changed; bring one back, or start "
        "anew with another --out",
        directory_.checkpoints().string());
    folder = newest ? newest->folder().string() : "";
  }
  ranks_.broadcast(folder);
  return folder.empty() ? std::nullopt : std::optional(open_checkpoint(folder));
}

void RunFolder::warn_of_other_instructions() const {
  const std::string differences = different_instruction_sets(ranks_);
  if (!ranks_.root())
    return;
  if (!differences.empty())
    warn(fmt::format("run.deterministic = true, but the ranks compute with different instructions: {}; the "
                     "bits depend on which rank does what. {}",
                     differences, kHowToFixInstructionSets));
  if (!checkpoint_)
    return;
  const std::string before = checkpoint_->state().value("instruction_set", ""), now = instruction_set();
  if (!before.empty() && before != now)
    warn(fmt::format("{}: begun with {}, goes on with {}: the bits may differ from those of a run that was "
                     "not stopped. {}",
                     setup_.path.string(), before, now, kHowToFixInstructionSets));
}

void RunFolder::open_run_file(long rows, const std::vector<MetricInfo>& metrics, const Attributes& more) {
  ranks_.barrier(); // all have read the checkpoint
  if (ranks_.root()) {
    const std::filesystem::path saved =
        checkpoint_ ? checkpoint_->folder() / directory_.run_file().filename() : "";
    write_text_atomically(directory_.deck(), setup_.deck);
    file_ = continue_run_file(directory_.run_file(), saved, rows, warn);
    if (file_ && rows == 0 && !has_columns(*file_, metrics))
      file_.reset();           // of another kind of run, which never had a checkpoint
    if (!file_ || rows == 0) { // from the beginning, perhaps again and with another deck
      Attributes attributes = {{"created", now_utc()},
                               {"deck", setup_.deck},
                               {"name", setup_.run.name},
                               {"ranks", static_cast<std::int64_t>(ranks_.size())},
                               {"devices", setup_.device_name},
                               {"processor", processor_name()},
                               {"instruction_set", instruction_set()}};
      for (const auto& [name, version] : version_attributes())
        attributes[name] = version;
      for (const auto& [name, value] : more)
        attributes[name] = value;
      if (!file_)
        file_ = RunFile::create(directory_.run_file(), attributes, metrics);
      for (const auto& [name, value] : attributes)
        file_->set_attribute(name, value);
    }
    if (checkpoint_)
      set_aside_newer(directory_.checkpoints(), checkpoint_->epoch());
  }
  ranks_.barrier();
}

double RunFolder::checkpoint(long number, const std::function<void()>& write, bool replace) {
  if (last_checkpoint_ == number && !replace)
    return 0;
  Stopwatch clock;
  if (ranks_.root())
    write();
  ranks_.barrier();
  last_checkpoint_ = number;
  checkpoint_seconds_ = clock.elapsed();
  return checkpoint_seconds_;
}

std::string RunFolder::stop_reason(double longest_step) const {
  return stop_.reason(ranks_, setup_.since_start.elapsed(), longest_step + 2 * checkpoint_seconds_,
                      longest_step > 0);
}

} // namespace scoreact
