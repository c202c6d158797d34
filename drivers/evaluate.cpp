/// scoreact evaluate RUN_DIR: reward, KL, judge and Frechet distance of the base model and of every
/// checkpoint over step counts and solvers, and the share of the attainable gain; into RUN_DIR/run.h5.
#include "command.hpp"
#include "models/registry.hpp"
#include "run/network_setup.hpp"
#include "run/progress.hpp"
#include "run/run_evaluation.hpp"
#include "run/run_state.hpp"
#include "store/run_directory.hpp"
#include "store/run_file.hpp"

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace scoreact {
namespace {

using json = nlohmann::ordered_json;

/// Command line over deck; --check: the smallest problem.
void apply_request(Deck& deck, const Invocation& invocation) {
  const EvaluateRequest& request = invocation.evaluate;
  EvaluateOptions& evaluate = deck.evaluate;
  if (!request.steps.empty())
    evaluate.steps = request.steps;
  if (!request.solvers.empty())
    evaluate.solvers = request.solvers;
  evaluate.num_samples = request.count.value_or(evaluate.num_samples);
  evaluate.seed = request.seed.value_or(evaluate.seed);
  if (!invocation.check)
    return;
  evaluate.steps = {std::min(evaluate.steps.front(), 4L)};
  evaluate.num_samples = std::min(evaluate.num_samples, 4L);
  evaluate.base_samples = std::min(evaluate.base_samples, 4L);
  deck.sample.num_steps = std::min(deck.sample.num_steps, 4L);
}

/// Sound checkpoints by epoch, without that of epoch 0, which is the base model; rank 0 warns of damaged
/// ones.
std::vector<std::pair<long, std::filesystem::path>> sound_checkpoints(const RunDirectory& directory,
                                                                      const Communicator& ranks) {
  std::vector<std::pair<long, std::filesystem::path>> sound;
  for (const auto& [epoch, folder] : list_checkpoints(directory.checkpoints())) {
    if (epoch == 0)
      continue;
    const std::string damage = checkpoint_damage(folder);
    if (damage.empty())
      sound.emplace_back(epoch, folder);
    else if (ranks.root())
      fmt::print(stderr, "scoreact: warning: {}: {}; left out\n", folder.string(), damage);
  }
  return sound;
}

json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json as_json(const EvaluationTable& table) {
  json object = {{"epoch", table.epochs}, {"steps", table.steps}, {"solver", table.solvers}};
  for (const auto& [name, value] : table.attributes)
    std::visit(
        [&, key = name](const auto& plain) {
          if constexpr (std::is_same_v<std::decay_t<decltype(plain)>, double>)
            object[key] = number(plain);
          else
            object[key] = plain;
        },
        value);
  const std::size_t columns = table.steps.size();
  for (const auto& [name, values] : table.tables) {
    json rows = json::array();
    for (std::size_t e = 0; e < table.epochs.size(); ++e) {
      json row = json::array();
      for (std::size_t s = 0; s < columns; ++s)
        row.push_back(number(values[e * columns + s]));
      rows.push_back(row);
    }
    object[name] = rows;
  }
  return object;
}

/// A number of a table's cell, "-" for what this run has not (no judge, no attainable gain without a KL
/// term).
std::string cell_text(double value, int digits, const char* unit = "") {
  return std::isnan(value) ? "-" : fmt::format("{:.{}f}{}", value, digits, unit);
}

void print_table(const EvaluationTable& table) {
  fmt::print("{:>6} {:>6} {:<15} {:>9} {:>8} {:>9} {:>9} {:>7} {:>9} {:>11} {:>11}\n", "epoch", "steps",
             "solver", "reward", "stderr", "kl_path", "kl_chain", "judge", "frechet", "gain(path)",
             "gain(chain)");
  for (std::size_t e = 0; e < table.epochs.size(); ++e)
    for (std::size_t s = 0; s < table.steps.size(); ++s) {
      const auto cell = [&](const char* name) { return table.tables.at(name)[e * table.steps.size() + s]; };
      fmt::print("{:>6} {:>6} {:<15} {:>9} {:>8} {:>9} {:>9} {:>7} {:>9} {:>11} {:>11}\n", table.epochs[e],
                 table.steps[s], table.solvers[s], cell_text(cell("reward_mean"), 4),
                 cell_text(cell("reward_stderr"), 4), cell_text(cell("kl_path"), 4),
                 cell_text(cell("kl_chain"), 4), cell_text(cell("judge_accuracy"), 3),
                 cell_text(cell("frechet_distance"), 4), cell_text(100 * cell("gain_share_path"), 1, "%"),
                 cell_text(100 * cell("gain_share_chain"), 1, "%"));
    }
}

} // namespace

ExitCode run_evaluate(const Invocation& invocation) {
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  SCOREACT_REQUIRE(invocation.out == invocation.target, ExitCode::usage,
                   "--out: evaluate writes into the run's own run.h5, so it has no other place");
  const RunDirectory directory(invocation.target);
  SCOREACT_REQUIRE(std::filesystem::exists(directory.run_file()), ExitCode::missing_input,
                   "{}: expected the directory of a run, found no run.h5 in it", invocation.target);
  std::optional<RunLock> lock; // a run that is going would overwrite what is written here
  if (ranks.root())
    lock.emplace(directory);
  ranks.barrier();

  Deck deck = *invocation.deck;
  apply_request(deck, invocation);
  const at::Device device = device_of(invocation.device_id);
  const std::vector<std::string> texts = prompt_texts(deck.prompts);
  const auto network = make_denoiser(deck.model, deck.schedule, device, {texts, deck.prompts.negative},
                                     deck.run.precision == "bf16");
  ScorePolicy policy(network, deck.sample.guidance_scale); // keeps the pretrained weights
  const Prompts prompts(deck.prompts, network->num_prompts());
  const RewardContext context = reward_context(network, texts, deck.sample.micro_batch_size, device);
  RunEvaluation evaluation(deck, policy, make_reward(deck.reward, network->pixel_shape(), context), prompts,
                           context, ranks, device);
  auto checkpoints = sound_checkpoints(directory, ranks);
  if (invocation.check && checkpoints.size() > 1)
    checkpoints.erase(checkpoints.begin(), checkpoints.end() - 1);
  const long draws = static_cast<long>(checkpoints.size() + 1) * evaluation.draws_a_row() + 1;
  Progress progress("draw", draws, invocation.quiet || invocation.json || !ranks.root());
  evaluation.set_observer([&, done = 0L](const std::string& line) mutable { progress.show(++done, line); });

  evaluation.measure_base();
  evaluation.add_row(0); // the base model
  for (const auto& [epoch, folder] : checkpoints) {
    load_policy_weights(open_checkpoint(folder), *network);
    evaluation.add_row(epoch);
  }
  const EvaluationTable& table = evaluation.table();
  const Optimum& optimum = evaluation.optimum();
  if (ranks.root()) {
    if (!invocation.check) {
      RunFile file = RunFile::open(directory.run_file());
      file.set_evaluation(table);
      file.write();
    }
    if (invocation.json) {
      fmt::print("{}\n", as_json(table).dump());
    } else {
      print_table(table);
      fmt::print(
          "base reward {:.4f}, attainable J* {} at lambda = {} (from {} samples of the unchanged model)\n",
          optimum.base_reward, cell_text(optimum.optimum_j, 4), deck.algorithm.kl_weight,
          deck.evaluate.base_samples);
    }
  }
  ranks.barrier();
  return ExitCode::success;
}

} // namespace scoreact
