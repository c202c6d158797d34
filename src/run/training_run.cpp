#include "run/training_run.hpp"

#include "error/error.hpp"
#include "run/trajectory_output.hpp"

#include <sys/resource.h>
#include <torch/torch.h>

#ifdef SCOREACT_WITH_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>

namespace scoreact {

namespace {

double mean_or_zero(const std::vector<double>& values) {
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

double peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024.0;
}

/// Of what LibTorch holds on the device, what lies idle in its cache included; unknown on the host.
double peak_device_memory_bytes([[maybe_unused]] const std::string& device_name) {
#ifdef SCOREACT_WITH_CUDA
  const c10::Device device(device_name);
  if (device.is_cuda()) {
    const auto held = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index()).reserved_bytes;
    return static_cast<double>(
        held[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak);
  }
#endif
  return std::numeric_limits<double>::quiet_NaN();
}

} // namespace

TrainingRun::TrainingRun(TrainingRunSetup setup, ScorePolicy& policy, Algorithm& algorithm,
                         const Communicator& ranks)
    : setup_(std::move(setup)), policy_(policy), algorithm_(algorithm), ranks_(ranks),
      folder_(
          {setup_.directory, setup_.run, setup_.deck, setup_.device_name, setup_.quiet, setup_.since_start},
          ranks),
      progress_("epoch", setup_.run.epochs, setup_.quiet || !ranks.root()) {
  if (folder_.checkpoint()) {
    counters_ = load_run_state(*folder_.checkpoint(), algorithm_);
    if (ranks_.root() && !setup_.quiet)
      fmt::print("continuing {} after epoch {}\n", setup_.directory.string(), counters_.epoch);
  }
  folder_.open_run_file(counters_.epoch, run_metrics());
  if (folder_.file())
    folder_.file()->set_prompts(setup_.prompts);
}

void TrainingRun::record_pretraining(long total, double error) {
  ++counters_.value_pretrained;
  pretrained_since_ = true;
  if (ranks_.root() && !setup_.quiet) {
    fmt::print("value pretraining {}/{}  mse {:.4g}\n", counters_.value_pretrained, total, error);
    std::fflush(stdout);
  }
  const double seconds = epoch_clock_.elapsed();
  counters_.wall_time += seconds;
  longest_epoch_ = std::max(longest_epoch_, seconds);
  const long every = setup_.run.save_freq;
  if (every > 0 && (counters_.value_pretrained % every == 0 || counters_.value_pretrained == total))
    checkpoint();
  epoch_clock_.lap();
  communicated_before_ = ranks_.communication_time();
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

void TrainingRun::set_evaluation(RunEvaluation& evaluation) {
  evaluation_ = &evaluation;
  const bool has_base =
      evaluation.continue_from(folder_.file() ? folder_.file()->evaluation() : EvaluationTable{});
  if (counters_.epoch == 0 && !has_base) {
    evaluation.measure_base();
    evaluate_if_due();
  }
  epoch_clock_.lap();
  communicated_before_ = ranks_.communication_time();
}

void TrainingRun::rolled_out() { rollout_time_ = epoch_clock_.elapsed(); }

void TrainingRun::record(Trajectories& batch, const LearnReport& learned, long network_evaluations) {
  const std::vector<double> reward = gather_samples(batch.reward, ranks_);
  ++counters_.epoch;
  counters_.network_evaluations += static_cast<double>(network_evaluations);
  const double epoch_time = epoch_clock_.elapsed();
  counters_.wall_time += epoch_time;
  longest_epoch_ = std::max(longest_epoch_, epoch_time);
  const double communicated =
      mean_or_zero(ranks_.gather_in_order({ranks_.communication_time() - communicated_before_}));
  const double mean = mean_or_zero(reward), std = std_of(reward, mean);
  const double kl_path = mean_or_zero(learned.kl_path), kl_chain = mean_or_zero(learned.kl_chain);
  if (RunFile* const file = folder_.file()) {
    file->record({{"epoch", static_cast<double>(counters_.epoch)},
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
                  {"device_memory_peak", peak_device_memory_bytes(setup_.device_name)},
                  {"restarts", counters_.restarts},
                  {"ranks", static_cast<double>(ranks_.size())},
                  {"checkpoint_time", checkpoint_seconds_},
                  {"trajectory_time", trajectory_seconds_},
                  {"evaluation_time", evaluation_seconds_},
                  {"communication_time", communicated}});
  }
  progress_.show(counters_.epoch, fmt::format("reward {:.3f}  kl {:.2f}  policy_kl {:.3f}  {:.2f} s", mean,
                                              kl_path, learned.update.policy_kl, epoch_time));
  require_sound_policy(mean, learned.update.grad_norm);

  const Stopwatch clock;
  trajectory_seconds_ = 0;
  if (stores_epoch(setup_.store.trajectories, counters_.epoch)) {
    write_trajectories(
        ranks_.root() ? folder_.directory().trajectory_file(counters_.epoch)
                      : folder_.directory().trajectories() / (epoch_name(counters_.epoch) + ".h5"),
        batch, policy_, setup_.store, setup_.kl_weight, setup_.samples_per_call, ranks_, setup_.deck);
    trajectory_seconds_ = clock.elapsed();
  }
  paint_if_due();
  evaluate_if_due();
  checkpoint_seconds_ = 0;
  if (setup_.run.save_freq > 0 && counters_.epoch % setup_.run.save_freq == 0)
    checkpoint();
  longest_after_ = std::max(longest_after_, epoch_clock_.lap() - epoch_time - checkpoint_seconds_);
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
    algorithm_.policy_optimizer().with_average(
        [this] { painter_(folder_.directory().image_file(counters_.epoch)); });
}

void TrainingRun::evaluate_if_due() {
  evaluation_seconds_ = 0;
  if (evaluation_ == nullptr || counters_.epoch % setup_.run.eval_freq != 0)
    return;
  const Stopwatch clock;
  algorithm_.policy_optimizer().with_average([this] { evaluation_->add_row(counters_.epoch); });
  if (RunFile* const file = folder_.file()) {
    file->set_evaluation(evaluation_->table());
    file->write();
  }
  evaluation_seconds_ = clock.elapsed();
}

void TrainingRun::checkpoint() {
  checkpoint_seconds_ = folder_.checkpoint(
      counters_.epoch,
      [this] {
        save_run_state(folder_.directory().checkpoints(), counters_, algorithm_, setup_.deck,
                       folder_.directory().run_file(), setup_.run.num_checkpoint_limit);
      },
      pretrained_since_);
  pretrained_since_ = false;
}

bool TrainingRun::should_stop() {
  stop_reason_ = folder_.stop_reason(longest_epoch_ + longest_after_);
  return !stop_reason_.empty() && counters_.epoch < setup_.run.epochs;
}

ExitCode TrainingRun::checkpoint_and_requeue() {
  checkpoint();
  const std::string before = counters_.epoch > 0 || counters_.value_pretrained == 0
                                 ? ""
                                 : fmt::format(" and {} of value pretraining", counters_.value_pretrained);
  if (ranks_.root())
    fmt::print("\nstopped ({}) after epoch {} of {}{}; the same command continues {}\n", stop_reason_,
               counters_.epoch, setup_.run.epochs, before, setup_.directory.string());
  return ExitCode::stopped_early;
}

ExitCode TrainingRun::finish() {
  checkpoint();
  if (ranks_.root())
    algorithm_.policy_optimizer().with_average(
        [this] { policy_.network().save(folder_.directory().policy().string()); });
  ranks_.barrier();
  return ExitCode::success;
}

} // namespace scoreact
