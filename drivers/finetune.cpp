/// scoreact finetune DECK: the main job. Wiring from the deck, then the loop of the paper's section 4.
#include "command.hpp"
#include "evaluation/picture_grid.hpp"
#include "models/registry.hpp"
#include "rl/algorithm.hpp"
#include "rl/prompts.hpp"
#include "rl/rollout.hpp"
#include "rl/rollout_steps.hpp"
#include "run/network_setup.hpp"
#include "run/stop_request.hpp"
#include "run/training_run.hpp"
#include "run/versions.hpp"

#include <torch/torch.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace scoreact {
namespace {

/// A micro-batch larger than what a rank holds is reduced when bits need not be fixed (run.deterministic =
/// false).
long fitting_micro_batch(long micro_batch, const Deck& deck, const Communicator& ranks, const char* key) {
  const long each = deck.sample.samples_per_epoch / ranks.size();
  if (deck.run.deterministic || (each % micro_batch == 0 && each >= micro_batch))
    return micro_batch;
  const long fitting = largest_divisor(each, micro_batch);
  if (ranks.root())
    fmt::print("notice: {} = {} reduced to {}, which divides the {} samples of a rank\n", key, micro_batch,
               fitting, each);
  return fitting;
}

/// --check: the same parts on the smallest problem, one epoch.
Deck smallest(Deck deck, const Communicator& ranks) {
  deck.run.epochs = 1;
  deck.sample.num_steps = std::min(deck.sample.num_steps, 4L);
  deck.sample.micro_batch_size = deck.train.micro_batch_size = std::min(deck.train.micro_batch_size, 2L);
  deck.sample.samples_per_epoch = deck.train.minibatch_size = deck.sample.micro_batch_size * ranks.size();
  deck.train.num_times = std::min(deck.train.num_times, 2L);
  deck.value.steps_per_epoch = std::min(deck.value.steps_per_epoch, 1L);
  deck.value.pretrain_epochs = 0;
  deck.run.eval_freq = deck.run.save_freq = 0;
  deck.store.images_per_epoch = std::min(deck.store.images_per_epoch, 4L);
  return deck;
}

long times_trained(const TrainOptions& train, long steps) {
  if (train.num_times > 0)
    return train.num_times;
  return std::max(1L, std::lround(train.timestep_fraction * static_cast<double>(steps)));
}

/// Memory of this process that is in use now.
long resident_megabytes() {
  std::ifstream file("/proc/self/statm");
  long total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE) >> 20;
}

void print_banner(const Deck& deck, const Invocation& invocation, const Communicator& ranks,
                  const StepTable& table, Algorithm& algorithm) {
  std::string versions;
  for (const auto& [library, version] : library_versions())
    versions += fmt::format("{}{} {}", versions.empty() ? "" : ", ", library, version);
  const TrainOptions& train = deck.train;
  const long times = times_trained(train, table.size());
  FlatAdamW& optimizer = algorithm.policy_optimizer();
  fmt::print(
      "{}\n{} rank(s) x {} thread(s) on {}, gradients summed {}; deck {}\n"
      "{}: {} with {} parameters, {} x {} steps of {} an epoch\n"
      "samples per epoch {}, total train batch {}, optimiser updates per epoch {}, trained times {} of {}\n",
      versions, ranks.size(), invocation.threads, device_of(invocation.device_id).str(),
      optimizer.summed_how(), deck.path, deck.run.name, deck.algorithm.name, optimizer.parameters().size(),
      deck.sample.samples_per_epoch, table.size(), table.solver, deck.sample.samples_per_epoch,
      train.minibatch_size, updates_per_epoch(deck.sample.samples_per_epoch, train), times, table.size());
}

/// Samples times passes of every network in an epoch; estimates: path KL, value and advantage.
void print_cost(const Deck& deck, const Denoiser& network, const StepTable& table,
                const Algorithm& algorithm) {
  const long samples = deck.sample.samples_per_epoch, times = times_trained(deck.train, table.size());
  const double guidance = deck.sample.guidance_scale;
  const long passes = passes_per_score(guidance);
  const LearnCost cost = algorithm.learn_cost(samples, table.size(), times);
  const long judged = samples + cost.rewards;
  fmt::print("network evaluations per epoch: rollout {}, estimates {}, update {}; reward {}{}{}\n",
             rollout_network_evaluations(table, samples, guidance), passes * cost.network_evaluations,
             passes * times * samples * deck.train.num_inner_epochs, judged,
             cost.copies > 0 ? fmt::format(", value network's copy of it {}", cost.copies) : "",
             network.pixel_shape() == network.sample_shape()
                 ? ""
                 : fmt::format(", decoder {}", judged + cost.copies));
}

/// What an epoch holds in memory beside the networks' activations, on this rank: the weights (base and
/// trained, with gradient and two moments of what is trained), the trajectories, and what the value is fitted
/// at: states, Tweedie means, features of a copy of the reward, and the reward's gradient where it is needed.
void print_memory(const Deck& deck, const Denoiser& network, const Shard& shard, long steps,
                  Algorithm& algorithm) {
  long elements = 1;
  for (const long extent : network.sample_shape())
    elements *= extent;
  constexpr double kMegabyte = 1 << 20;
  const double states = 4.0 * static_cast<double>((3 * steps + 1) * shard.count * elements) / kMegabyte;
  const auto with_moments = [](FlatAdamW& optimizer) {
    return 16.0 * static_cast<double>(optimizer.parameters().size()) / kMegabyte;
  };
  std::string of_value;
  if (ValueFunction* value = algorithm.value_function()) {
    const long rows = shard.count * times_trained(deck.train, steps);
    const bool gradient = deck.algorithm.update == "pathwise" || deck.algorithm.advantage == "gradient";
    of_value = fmt::format(
        ", the value network's {:.0f} MB and what it is fitted at {:.0f} MB",
        with_moments(value->optimizer()),
        4.0 * static_cast<double>(rows * ((gradient ? 3 : 2) * elements + value->feature_elements())) /
            kMegabyte);
  }
  fmt::print("memory a rank: trajectories {:.0f} MB, trained weights with gradient and moments {:.0f} MB{}, "
             "held now on the host {} MB; network calls of {} rows in the rollout, {} in the update\n",
             states, with_moments(algorithm.policy_optimizer()), of_value, resident_megabytes(),
             deck.sample.micro_batch_size * (deck.sample.guidance_scale == 1.0 ? 1 : 2),
             deck.train.micro_batch_size * times_trained(deck.train, steps) *
                 (deck.sample.guidance_scale == 1.0 ? 1 : 2));
}

/// Noise of rollouts before the first epoch: keys that no epoch has.
constexpr std::uint32_t kBeforeTraining = 1U << 31;

void require_finite(const at::Tensor& reward, const std::string& name, std::uint32_t epoch) {
  const long bad = (~at::isfinite(reward)).sum().item<long>();
  SCOREACT_REQUIRE(bad == 0, ExitCode::internal, "epoch {}: reward {} is not finite for {} of {} samples",
                   epoch < kBeforeTraining ? epoch + 1 : 0, name, bad, reward.numel());
}

} // namespace

ExitCode run_finetune(const Invocation& invocation) {
  const Stopwatch since_start;
  listen_for_stop_signals();
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  Deck deck = invocation.check ? smallest(*invocation.deck, ranks) : *invocation.deck;
  deck.sample.micro_batch_size =
      fitting_micro_batch(deck.sample.micro_batch_size, deck, ranks, "sample.micro_batch_size");
  deck.train.micro_batch_size =
      fitting_micro_batch(deck.train.micro_batch_size, deck, ranks, "train.micro_batch_size");
  const SampleOptions& sample = deck.sample;
  const Shard shard = make_shard(sample.samples_per_epoch, sample.micro_batch_size, ranks.rank(),
                                 ranks.size(), "sample.micro_batch_size");
  // the update's own micro-batches are dealt later; whether they can be is said now
  make_shard(sample.samples_per_epoch, deck.train.micro_batch_size, ranks.rank(), ranks.size(),
             "train.micro_batch_size");

  const at::Device device = device_of(invocation.device_id);
  const std::vector<std::string> texts = prompt_texts(deck.prompts);
  const auto network = make_denoiser(deck.model, deck.schedule, device, {texts, deck.prompts.negative},
                                     deck.run.precision == "bf16");
  ScorePolicy policy(network, sample.guidance_scale);
  const RewardContext context = reward_context(network, texts, deck.sample.micro_batch_size, device);
  const auto reward = make_reward(deck.reward, network->pixel_shape(), context);
  const Prompts prompts(deck.prompts, network->num_prompts());
  const double updates =
      static_cast<double>(updates_per_epoch(sample.samples_per_epoch, deck.train) * deck.run.epochs);
  const auto algorithm =
      make_algorithm({policy,
                      reward,
                      deck.algorithm,
                      deck.train,
                      deck.value,
                      deck.per_prompt_stat_tracking,
                      {deck.train.learning_rate, deck.train.lr_schedule, deck.train.warmup_steps, updates},
                      ranks,
                      deck.run.seed,
                      deck.run.deterministic});
  const auto table_of = [&](const RolloutKey& key) { return step_table(network->schedule(), sample, key); };
  const auto actions_of = [&](const StepTable& table) {
    return action_steps(table, deck.algorithm.action, deck.algorithm.exploration);
  };
  const auto key_of = [&](long epoch) {
    return RolloutKey{deck.run.seed, static_cast<std::uint32_t>(epoch)};
  };
  if (ranks.root() && !invocation.quiet) {
    for (const std::string& line : warnings(deck))
      fmt::print(stderr, "scoreact: warning: {}\n", line);
    const StepTable table = table_of(key_of(0));
    print_banner(deck, invocation, ranks, table, *algorithm);
    print_cost(deck, *network, table, *algorithm);
    print_memory(deck, *network, shard, table.size(), *algorithm);
    std::fflush(stdout); // a log shows it before the first epoch, which may take an hour
  }

  const std::filesystem::path directory = invocation.check ? std::filesystem::path(invocation.out) / "check"
                                                           : std::filesystem::path(invocation.out);
  if (invocation.check && ranks.root())
    std::filesystem::remove_all(directory); // a check never continues an earlier one
  TrainingRun run({directory, deck.run, deck.store, deck.algorithm.kl_weight, deck.train.micro_batch_size,
                   dump_deck(deck), device.str(), texts, invocation.quiet, since_start},
                  policy, *algorithm, ranks);
  run.set_painter([&](const std::filesystem::path& path) {
    const StepTable table = table_of(key_of(0));
    write_progress_pictures(path, policy, table, actions_of(table), prompts, device,
                            deck.store.images_per_epoch, sample.micro_batch_size, deck.evaluate.seed);
  });
  std::unique_ptr<RunEvaluation> evaluation;
  if (deck.run.eval_freq > 0) {
    evaluation = std::make_unique<RunEvaluation>(deck, policy, reward, prompts, context, ranks, device);
    run.set_evaluation(*evaluation);
  }

  if (run.should_stop())
    return run.checkpoint_and_requeue();
  const auto roll_out = [&](const RolloutKey& key) {
    return ranks.together([&] {
      const StepTable table = table_of(key);
      Trajectories drawn = collect(policy, table, actions_of(table), shard,
                                   prompts.draw(shard, key).to(device), key); // eq. 9, 13
      drawn.reward = (*reward)(drawn.final_state(), drawn.prompt).detach().to(at::kDouble);
      require_finite(drawn.reward, reward->name(), key.epoch);
      return drawn;
    });
  };
  const std::vector<long> epochs = run.remaining_epochs();
  // rollouts of the unchanged policy, on which the value is fitted
  const long before = epochs.empty() || epochs.front() > 0 ? 0 : deck.value.pretrain_epochs;
  for (long i = run.value_pretrained(); i < before; ++i) {
    Trajectories batch = roll_out({deck.run.seed, kBeforeTraining + static_cast<std::uint32_t>(i)});
    run.record_pretraining(before, algorithm->pretrain_value(batch));
    if (run.should_stop())
      return run.checkpoint_and_requeue();
  }
  for (const long epoch : epochs) {
    Trajectories batch = roll_out(key_of(epoch));
    run.rolled_out();
    const LearnReport learned = algorithm->learn(batch); // eq. 5, 16-27
    run.record(batch, learned,
               rollout_network_evaluations(batch.table, sample.samples_per_epoch, sample.guidance_scale) +
                   passes_per_score(sample.guidance_scale) * learned.network_evaluations);
    if (run.should_stop())
      return run.checkpoint_and_requeue();
  }
  return run.finish();
}

} // namespace scoreact
