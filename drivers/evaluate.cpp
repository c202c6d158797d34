/// scoreact evaluate RUN_DIR: reward, KL, judge and Frechet distance of the base model and of every
/// checkpoint over step counts and solvers, and the share of the attainable gain; into RUN_DIR/run.h5.
#include "command.hpp"
#include "evaluation/frechet.hpp"
#include "evaluation/judge.hpp"
#include "evaluation/optimum.hpp"
#include "evaluation/picture_reference.hpp"
#include "evaluation/policy_evaluation.hpp"
#include "models/registry.hpp"
#include "run/network_setup.hpp"
#include "run/progress.hpp"
#include "run/run_state.hpp"
#include "store/run_directory.hpp"
#include "store/run_file.hpp"

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

namespace scoreact {
namespace {

using json = nlohmann::ordered_json;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kTables[] = {"reward_mean",     "reward_stderr",   "kl_path",
                                   "kl_chain",        "judge_accuracy",  "frechet_distance",
                                   "gain_share_path", "gain_share_chain"};

/// One column of the tables.
struct Setting {
  long steps;
  std::string solver;
};

double mean_of(const std::vector<double>& values) {
  return values.empty()
             ? kUnknown
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double stderr_of(const std::vector<double>& values) {
  if (values.size() < 2)
    return kUnknown;
  const double mean = mean_of(values), n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values)
    sum += (value - mean) * (value - mean);
  return std::sqrt(sum / (n - 1) / n);
}

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

std::vector<Setting> settings_of(const Deck& deck) {
  std::vector<std::string> solvers = deck.evaluate.solvers;
  if (solvers.empty())
    solvers.push_back(deck.sample.solver);
  std::vector<Setting> settings;
  for (const std::string& solver : solvers)
    for (const long steps : deck.evaluate.steps)
      settings.push_back({steps, solver});
  return settings;
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

/// The drawn pictures against the reference. The distance is biased by the number of pictures, so all that
/// are compared have the same one.
double distance_to(const PictureReference* reference, const PolicyEvaluation& drawn,
                   const Communicator& ranks) {
  if (!reference || !ranks.root())
    return kUnknown;
  const long d = reference->fit.mean.numel(), n = static_cast<long>(drawn.features.size()) / d;
  if (n < 2)
    return kUnknown;
  const at::Tensor rows = at::from_blob(const_cast<double*>(drawn.features.data()), {n, d}, at::kDouble);
  return frechet_distance(fit_gaussian(rows), reference->fit);
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

void print_table(const EvaluationTable& table) {
  fmt::print("{:>6} {:>6} {:<15} {:>9} {:>8} {:>9} {:>9} {:>7} {:>9} {:>11} {:>11}\n", "epoch", "steps",
             "solver", "reward", "stderr", "kl_path", "kl_chain", "judge", "frechet", "gain(path)",
             "gain(chain)");
  for (std::size_t e = 0; e < table.epochs.size(); ++e)
    for (std::size_t s = 0; s < table.steps.size(); ++s) {
      const auto cell = [&](const char* name) { return table.tables.at(name)[e * table.steps.size() + s]; };
      fmt::print(
          "{:>6} {:>6} {:<15} {:>9.4f} {:>8.4f} {:>9.4f} {:>9.4f} {:>7.3f} {:>9.4f} {:>10.1f}% {:>10.1f}%\n",
          table.epochs[e], table.steps[s], table.solvers[s], cell("reward_mean"), cell("reward_stderr"),
          cell("kl_path"), cell("kl_chain"), cell("judge_accuracy"), cell("frechet_distance"),
          100 * cell("gain_share_path"), 100 * cell("gain_share_chain"));
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
  const std::vector<long> shape = network->sample_shape();
  ScorePolicy policy(network, deck.sample.guidance_scale); // keeps the pretrained weights
  const Prompts prompts(deck.prompts, network->num_prompts());
  const RewardContext context =
      reward_context(network, texts, deck.sample.micro_batch_size, deck.train.micro_batch_size, device);
  const auto reward = make_reward(deck.reward, network->pixel_shape(), context);
  const auto judge = deck.evaluate.judge.empty()
                         ? nullptr
                         : make_judge(deck.evaluate.judge, shape, network->num_prompts(), context);
  const auto reference = open_reference(deck.evaluate, deck.data, network->pixel_shape(), device, ranks);
  const PictureFeatures features = reference ? reference->features : PictureFeatures();
  const EvaluationParts parts{policy, reward, judge, prompts, ranks, device, deck.sample.micro_batch_size};
  const std::vector<Setting> settings = settings_of(deck);
  auto checkpoints = sound_checkpoints(directory, ranks);
  if (invocation.check && checkpoints.size() > 1)
    checkpoints.erase(checkpoints.begin(), checkpoints.end() - 1);
  const double kl_weight = deck.algorithm.kl_weight;
  const long pairs = static_cast<long>((checkpoints.size() + 1) * settings.size());
  Progress progress("draw", pairs + 1, invocation.quiet || invocation.json || !ranks.root());

  // what the unchanged model does at the training solver: the optimum and the base figures
  const RolloutKey base_key{deck.evaluate.seed, 1}, key{deck.evaluate.seed, 0};
  const PolicyEvaluation base =
      evaluate_policy(parts, step_table(network->schedule(), deck.sample, base_key),
                      deck.evaluate.base_samples, base_key, {false, features, deck.evaluate.num_samples});
  const Optimum optimum = attainable_optimum(base.reward, base.prompts, kl_weight);
  EvaluationTable table;
  for (const char* name : kTables)
    table.tables[name] = {};
  for (const Setting& setting : settings) {
    table.steps.push_back(setting.steps);
    table.solvers.push_back(setting.solver);
  }
  table.attributes = {{"optimum_j", optimum.optimum_j},
                      {"base_reward", optimum.base_reward},
                      {"kl_weight", kl_weight},
                      {"base_judge_accuracy", mean_of(base.judged_right)},
                      {"base_frechet", distance_to(reference.get(), base, ranks)},
                      {"num_samples", static_cast<std::int64_t>(deck.evaluate.num_samples)},
                      {"base_samples", static_cast<std::int64_t>(deck.evaluate.base_samples)},
                      {"seed", static_cast<std::int64_t>(deck.evaluate.seed)}};
  long done = 1;
  progress.show(done, fmt::format("base reward {:.4f}  J* {:.4f}", optimum.base_reward, optimum.optimum_j));

  for (std::size_t e = 0; e <= checkpoints.size(); ++e) { // row 0 is the base model
    if (e > 0)
      load_policy_weights(open_checkpoint(checkpoints[e - 1].second), *network);
    table.epochs.push_back(e == 0 ? 0 : checkpoints[e - 1].first);
    for (const Setting& setting : settings) {
      const StepTable steps =
          step_table(network->schedule(), deck.sample, setting.steps, setting.solver, key);
      const PolicyEvaluation drawn = evaluate_policy(parts, steps, deck.evaluate.num_samples, key,
                                                     {true, features, deck.evaluate.num_samples});
      const double reward = mean_of(drawn.reward), path = mean_of(drawn.kl_path),
                   chain = mean_of(drawn.kl_chain);
      const std::map<std::string, double> cells = {
          {"reward_mean", reward},
          {"reward_stderr", stderr_of(drawn.reward)},
          {"kl_path", path},
          {"kl_chain", chain},
          {"judge_accuracy", mean_of(drawn.judged_right)},
          {"frechet_distance", distance_to(reference.get(), drawn, ranks)},
          {"gain_share_path", share_of_gain(optimum, kl_weight, reward, path)},
          {"gain_share_chain", share_of_gain(optimum, kl_weight, reward, chain)}};
      for (const auto& [name, value] : cells)
        table.tables.at(name).push_back(value);
      progress.show(++done, fmt::format("epoch {}  {} x {}  reward {:.4f}  kl {:.3f}", table.epochs.back(),
                                        setting.steps, setting.solver, reward, path));
    }
  }
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
      fmt::print("base reward {:.4f}, attainable J* {:.4f} at lambda = {} (from {} samples of the unchanged "
                 "model)\n",
                 optimum.base_reward, optimum.optimum_j, kl_weight, deck.evaluate.base_samples);
    }
  }
  ranks.barrier();
  return ExitCode::success;
}

} // namespace scoreact
