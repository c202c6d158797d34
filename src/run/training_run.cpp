#include "run/training_run.hpp"

#include "deck/deck.hpp"
#include "error/error.hpp"
#include "run/continued_run_file.hpp"
#include "run/trajectory_output.hpp"
#include "run/versions.hpp"
#include "store/atomic_file.hpp"

#include <sys/resource.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <numeric>
#include <sstream>

namespace scoreact {

namespace {

double mean_of(const std::vector<double>& values) {
  return values.empty()
             ? 0.0
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double std_of(const std::vector<double>& values, double mean) {
  double sum = 0;
  for (const double v : values)
    sum += (v - mean) * (v - mean);
  return values.size() > 1 ? std::sqrt(sum / static_cast<double>(values.size() - 1)) : 0.0;
}

void warn(const std::string& line) { fmt::print(stderr, "scoreact: warning: {}\n", line); }

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

double peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024.0;
}

/// What of a deck decides the bits of a run: not its length, nor what is saved, shown and evaluated.
std::string decisive_part(const std::string& text, const std::string& name) {
  Deck deck = parse_deck(text, name);
  const std::uint64_t seed = deck.run.seed;
  deck.run = {};
  deck.run.seed = seed;
  deck.store = {};
  deck.evaluate = {};
  deck.sample.micro_batch_size = deck.train.micro_batch_size = 1; // other ranks may need other ones
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

} // namespace

TrainingRun::TrainingRun(TrainingRunSetup setup, ScorePolicy& policy, Algorithm& algorithm,
                         const Communicator& ranks)
    : setup_(std::move(setup)), policy_(policy), algorithm_(algorithm), ranks_(ranks),
      directory_(setup_.directory),
      stop_(setup_.directory / "stop",
            setup_.run.max_time.empty() ? 0.0 : seconds_of_duration(setup_.run.max_time, "run.max_time")),
      progress_("epoch", setup_.run.epochs, setup_.quiet || !ranks.root()) {
  if (ranks_.root()) {
    directory_ = RunDirectory::create(setup_.directory);
    lock_.emplace(directory_);
    std::filesystem::remove(setup_.directory / "stop");
  }
  if (ranks_.root() && ranks_.size() > 1)
    lock_->share();
  ranks_.barrier();
  if (!ranks_.root())
    lock_.emplace(RunLock::join(directory_, ranks_.rank()));
  const auto checkpoint = find_checkpoint();
  if (checkpoint) {
    require_same_deck(setup_.directory, checkpoint->state().at("deck").get<std::string>(), setup_.deck);
    counters_ = load_run_state(*checkpoint, algorithm_);
    last_checkpoint_ = static_cast<double>(counters_.epoch);
    if (ranks_.root() && !setup_.quiet)
      fmt::print("continuing {} after epoch {}\n", setup_.directory.string(), counters_.epoch);
  }
  ranks_.barrier(); // all have read it
  if (ranks_.root()) {
    open_run_file(checkpoint ? checkpoint->folder() / directory_.run_file().filename() : "");
    if (checkpoint)
      set_aside_newer(directory_.checkpoints(), checkpoint->epoch());
  }
  ranks_.barrier();
}

std::optional<LoadedCheckpoint> TrainingRun::find_checkpoint() const {
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

void TrainingRun::open_run_file(const std::filesystem::path& saved) {
  write_text_atomically(directory_.deck(), setup_.deck);
  file_ = continue_run_file(directory_.run_file(), saved, counters_.epoch, warn);
  if (file_ && counters_.epoch > 0)
    return;
  Attributes attributes = {{"created", now_utc()},
                           {"deck", setup_.deck},
                           {"name", setup_.run.name},
                           {"ranks", static_cast<std::int64_t>(ranks_.size())},
                           {"devices", setup_.device_name}};
  for (const auto& [name, version] : version_attributes())
    attributes[name] = version;
  if (!file_) {
    file_ = RunFile::create(directory_.run_file(), attributes);
    return;
  }
  for (const auto& [name, value] : attributes) // from the beginning again, perhaps with another deck
    file_->set_attribute(name, value);
}

std::vector<long> TrainingRun::remaining_epochs() const {
  std::vector<long> epochs;
  for (long epoch = counters_.epoch; epoch < setup_.run.epochs; ++epoch)
    epochs.push_back(epoch);
  return epochs;
}

void TrainingRun::set_painter(std::function<void(const std::filesystem::path&)> painter) {
  painter_ = std::move(painter);
  if (counters_.epoch == 0)
    paint_if_due();
  epoch_clock_.lap();
  communicated_before_ = ranks_.communication_time();
}

void TrainingRun::rolled_out() { rollout_time_ = epoch_clock_.elapsed(); }

void TrainingRun::record(Trajectories& batch, const LearnReport& learned, long rollout_network_evaluations) {
  const std::vector<double> reward = gather_samples(batch.reward, ranks_);
  ++counters_.epoch;
  counters_.network_evaluations +=
      static_cast<double>(rollout_network_evaluations + learned.network_evaluations);
  const double epoch_time = epoch_clock_.elapsed();
  counters_.wall_time += epoch_time;
  longest_epoch_ = std::max(longest_epoch_, epoch_time);
  const double communicated =
      mean_of(ranks_.gather_in_order({ranks_.communication_time() - communicated_before_}));
  const double mean = mean_of(reward), std = std_of(reward, mean);
  const double kl_path = mean_of(learned.kl_path), kl_chain = mean_of(learned.kl_chain);
  if (file_) {
    file_->record({{"epoch", static_cast<double>(counters_.epoch)},
                   {"samples_total", static_cast<double>(counters_.epoch * batch.shard.total)},
                   {"network_evaluations", counters_.network_evaluations},
                   {"wall_time", counters_.wall_time},
                   {"epoch_time", epoch_time},
                   {"rollout_time", rollout_time_},
                   {"value_time", learned.value_time},
                   {"update_time", learned.update_time},
                   {"reward_mean", mean},
                   {"reward_std", std},
                   {"reward_stderr", std / std::sqrt(static_cast<double>(reward.size()))},
                   {"kl_path", kl_path},
                   {"kl_chain", kl_chain},
                   {"value_mse", learned.value_mse},
                   {"advantage_std", learned.advantage_std},
                   {"ratio_first_max_deviation", learned.update.ratio_first_max_deviation},
                   {"clip_fraction", learned.update.clip_fraction},
                   {"policy_kl", learned.update.policy_kl},
                   {"grad_norm", learned.update.grad_norm},
                   {"learning_rate", learned.update.learning_rate}},
                  {{"host_memory_peak", peak_memory_bytes()},
                   {"restarts", counters_.restarts},
                   {"ranks", static_cast<double>(ranks_.size())},
                   {"checkpoint_time", checkpoint_seconds_},
                   {"trajectory_time", trajectory_seconds_},
                   {"communication_time", communicated}});
  }
  progress_.show(counters_.epoch, fmt::format("reward {:.3f}  kl {:.2f}  policy_kl {:.3f}  {:.2f} s", mean,
                                              kl_path, learned.update.policy_kl, epoch_time));
  require_sound_policy(mean, learned.update.grad_norm);

  Stopwatch clock;
  trajectory_seconds_ = 0;
  if (stores_epoch(setup_.store.trajectories, counters_.epoch)) {
    write_trajectories(ranks_.root() ? directory_.trajectory_file(counters_.epoch)
                                     : directory_.trajectories() / (epoch_name(counters_.epoch) + ".h5"),
                       batch, policy_, setup_.store, setup_.kl_weight, setup_.samples_per_call, ranks_,
                       setup_.deck);
    trajectory_seconds_ = clock.elapsed();
  }
  paint_if_due();
  checkpoint_seconds_ = 0;
  if (setup_.run.save_freq > 0 && counters_.epoch % setup_.run.save_freq == 0)
    checkpoint();
  epoch_clock_.lap();
  communicated_before_ = ranks_.communication_time();
}

void TrainingRun::require_sound_policy(double reward, double grad_norm) const {
  const auto finite = [](FlatAdamW& optimizer) {
    return at::isfinite(optimizer.parameters().values()).all().item<bool>();
  };
  ValueFunction* const value = algorithm_.value_function();
  const bool sound_policy = finite(algorithm_.policy_optimizer());
  const bool sound_value = value == nullptr || finite(value->optimizer());
  SCOREACT_REQUIRE(
      std::isfinite(reward) && std::isfinite(grad_norm) && sound_policy && sound_value, ExitCode::internal,
      "epoch {}: the training has diverged: mean reward {}, gradient norm {}, policy weights {}, value "
      "weights "
      "{}. A smaller train.learning_rate or a larger algorithm.kl_weight helps, in a run of its own (--out). "
      "Checkpoints of earlier epochs are intact",
      counters_.epoch, reward, grad_norm, sound_policy ? "finite" : "not finite",
      sound_value ? "finite" : "not finite");
}

void TrainingRun::paint_if_due() {
  if (!painter_ || !ranks_.root() || setup_.store.images_per_epoch == 0)
    return;
  const long every =
      setup_.store.images_freq > 0 ? setup_.store.images_freq : std::max(1L, setup_.run.epochs / 8);
  if (counters_.epoch % every == 0 || counters_.epoch == setup_.run.epochs)
    painter_(directory_.image_file(counters_.epoch));
}

void TrainingRun::checkpoint() {
  Stopwatch clock;
  if (last_checkpoint_ == static_cast<double>(counters_.epoch))
    return;
  if (ranks_.root())
    save_run_state(directory_.checkpoints(), counters_, algorithm_, setup_.deck, directory_.run_file(),
                   setup_.run.num_checkpoint_limit);
  ranks_.barrier();
  last_checkpoint_ = static_cast<double>(counters_.epoch);
  checkpoint_seconds_ = clock.elapsed();
}

bool TrainingRun::should_stop() {
  // finishing takes one more epoch at most and the checkpoint, whose time we know once one was written
  // however short the limit: one epoch at least, or a requeued job would never get on
  stop_reason_ = stop_.reason(ranks_, setup_.since_start.elapsed(), longest_epoch_ + 2 * checkpoint_seconds_,
                              longest_epoch_ > 0);
  return !stop_reason_.empty() && counters_.epoch < setup_.run.epochs;
}

ExitCode TrainingRun::checkpoint_and_requeue() {
  checkpoint();
  if (ranks_.root())
    fmt::print("\nstopped ({}) after epoch {} of {}; the same command continues {}\n", stop_reason_,
               counters_.epoch, setup_.run.epochs, setup_.directory.string());
  return ExitCode::stopped_early;
}

ExitCode TrainingRun::finish() {
  checkpoint();
  if (ranks_.root())
    policy_.network().save(directory_.policy().string());
  ranks_.barrier();
  return ExitCode::success;
}

} // namespace scoreact
