/// scoreact finetune DECK: the main job. Wiring from the deck, then the loop of the paper's section 4.
#include "command.hpp"
#include "models/registry.hpp"
#include "rl/algorithm.hpp"
#include "rl/prompts.hpp"
#include "rl/rollout.hpp"
#include "run/network_setup.hpp"
#include "run/picture_grid.hpp"
#include "run/stop_request.hpp"
#include "run/training_run.hpp"
#include "run/versions.hpp"

#include <torch/torch.h>

#include <filesystem>

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

void print_banner(const Deck& deck, const Invocation& invocation, const Communicator& ranks,
                  const StepTable& table, FlatAdamW& optimizer) {
  std::string versions;
  for (const auto& [library, version] : library_versions())
    versions += fmt::format("{}{} {}", versions.empty() ? "" : ", ", library, version);
  const TrainOptions& train = deck.train;
  const long times =
      train.num_times > 0
          ? train.num_times
          : std::max(1L, std::lround(train.timestep_fraction * static_cast<double>(table.size())));
  fmt::print(
      "{}\n{} rank(s) x {} thread(s) on {}, gradients summed {}; deck {}\n"
      "{}: {} with {} parameters, {} x {} steps of {} an epoch\n"
      "samples per epoch {}, total train batch {}, optimiser updates per epoch {}, trained times {} of {}, "
      "network evaluations per epoch: rollout {}, update {}\n",
      versions, ranks.size(), invocation.threads, device_of(invocation.device_id).str(),
      optimizer.summed_how(), deck.path, deck.run.name, deck.algorithm.name, optimizer.parameters().size(),
      deck.sample.samples_per_epoch, table.size(), table.solver, deck.sample.samples_per_epoch,
      train.minibatch_size, updates_per_epoch(deck.sample.samples_per_epoch, train), times, table.size(),
      rollout_network_evaluations(table, deck.sample.samples_per_epoch, deck.sample.guidance_scale),
      times * deck.sample.samples_per_epoch * train.num_inner_epochs);
}

void require_finite(const at::Tensor& reward, const std::string& name, long epoch) {
  const long bad = (~at::isfinite(reward)).sum().item<long>();
  SCOREACT_REQUIRE(bad == 0, ExitCode::internal, "epoch {}: reward {} is not finite for {} of {} samples",
                   epoch + 1, name, bad, reward.numel());
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
  const auto network = make_denoiser(deck.model, deck.schedule, device);
  ScorePolicy policy(network, sample.guidance_scale);
  const auto reward = make_reward(deck.reward, network->sample_shape());
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
    print_banner(deck, invocation, ranks, table_of(key_of(0)), algorithm->policy_optimizer());
  }

  const std::filesystem::path directory = invocation.check ? std::filesystem::path(invocation.out) / "check"
                                                           : std::filesystem::path(invocation.out);
  if (invocation.check && ranks.root())
    std::filesystem::remove_all(directory); // a check never continues an earlier one
  TrainingRun run({directory, deck.run, deck.store, deck.algorithm.kl_weight, deck.train.micro_batch_size,
                   dump_deck(deck), device.str(), invocation.quiet, since_start},
                  policy, *algorithm, ranks);
  run.set_painter([&](const std::filesystem::path& path) {
    const StepTable table = table_of(key_of(0));
    write_progress_pictures(path, policy, table, actions_of(table), prompts, deck.store.images_per_epoch,
                            deck.evaluate.seed);
  });

  if (run.should_stop())
    return run.checkpoint_and_requeue();
  for (const long epoch : run.remaining_epochs()) {
    const RolloutKey key = key_of(epoch);
    const StepTable table = table_of(key);
    Trajectories batch = ranks.together([&] {
      Trajectories drawn = collect(policy, table, actions_of(table), shard,
                                   prompts.draw(shard, key).to(device), key); // eq. 9, 13
      drawn.reward = (*reward)(drawn.final_state(), drawn.prompt).detach().to(at::kDouble);
      require_finite(drawn.reward, reward->name(), epoch);
      return drawn;
    });
    run.rolled_out();
    const LearnReport learned = algorithm->learn(batch); // eq. 5, 16-27
    run.record(batch, learned,
               rollout_network_evaluations(table, sample.samples_per_epoch, sample.guidance_scale));
    if (run.should_stop())
      return run.checkpoint_and_requeue();
  }
  return run.finish();
}

} // namespace scoreact
