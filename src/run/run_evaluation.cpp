#include "run/run_evaluation.hpp"

#include "evaluation/frechet.hpp"
#include "rl/rollout_steps.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace scoreact {

namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kTables[] = {"reward_mean",     "reward_stderr",   "kl_path",
                                   "kl_chain",        "judge_accuracy",  "frechet_distance",
                                   "gain_share_path", "gain_share_chain"};

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

/// Every solver with every number of steps, as columns of an empty table.
EvaluationTable empty_table(const Deck& deck) {
  EvaluationTable table;
  std::vector<std::string> solvers = deck.evaluate.solvers;
  if (solvers.empty())
    solvers.push_back(deck.sample.solver);
  for (const std::string& solver : solvers)
    for (const long steps : deck.evaluate.steps) {
      table.steps.push_back(steps);
      table.solvers.push_back(solver);
    }
  for (const char* name : kTables)
    table.tables[name] = {};
  return table;
}

double number_of(const EvaluationTable& table, const std::string& name) {
  const auto found = table.attributes.find(name);
  const double* const number =
      found == table.attributes.end() ? nullptr : std::get_if<double>(&found->second);
  return number == nullptr ? kUnknown : *number;
}

} // namespace

RunEvaluation::RunEvaluation(const Deck& deck, ScorePolicy& policy, std::shared_ptr<Reward> reward,
                             const Prompts& prompts, const RewardContext& context, const Communicator& ranks,
                             c10::Device device)
    : deck_(deck), parts_{policy, std::move(reward),           nullptr, prompts, ranks,
                          device, deck.sample.micro_batch_size},
      reference_(open_reference(deck.evaluate, deck.data, policy.network().pixel_shape(), device, ranks)),
      table_(empty_table(deck)) {
  if (!deck.evaluate.judge.empty())
    parts_.judge =
        make_judge(deck.evaluate.judge, policy.sample_shape(), policy.network().num_prompts(), context);
}

bool RunEvaluation::continue_from(const EvaluationTable& on_root) {
  std::vector<double> known; // of the unchanged model: optimum_j and base_reward
  if (parts_.ranks.root() && on_root.steps == table_.steps && on_root.solvers == table_.solvers &&
      std::all_of(std::begin(kTables), std::end(kTables),
                  [&](const char* name) { return on_root.tables.contains(name); })) {
    table_ = on_root;
    if (!table_.epochs.empty() && table_.epochs.front() == 0)
      known = {number_of(table_, "base_reward"), number_of(table_, "optimum_j")};
  }
  known = parts_.ranks.gather_in_order(known);
  if (known.empty())
    return false;
  optimum_ = {known[0], known[1]};
  return true;
}

/// The drawn pictures against the reference. The distance is biased by the number of pictures, so all that
/// are compared have the same one.
double RunEvaluation::distance_of(const PolicyEvaluation& drawn) const {
  if (!reference_ || !parts_.ranks.root())
    return kUnknown;
  const long d = reference_->fit.mean.numel(), n = static_cast<long>(drawn.features.size()) / d;
  if (n < 2)
    return kUnknown;
  const at::Tensor rows = at::from_blob(const_cast<double*>(drawn.features.data()), {n, d}, at::kDouble);
  return frechet_distance(fit_gaussian(rows), reference_->fit);
}

void RunEvaluation::measure_base() {
  const EvaluateOptions& evaluate = deck_.evaluate;
  const double kl_weight = deck_.algorithm.kl_weight;
  const RolloutKey key{evaluate.seed, 1};
  const PictureFeatures features = reference_ ? reference_->features : PictureFeatures();
  const PolicyEvaluation base =
      evaluate_policy(parts_, step_table(parts_.policy.schedule(), deck_.sample, key), evaluate.base_samples,
                      key, {false, features, evaluate.num_samples});
  optimum_ = attainable_optimum(base.reward, base.prompts, kl_weight);
  table_.attributes = {{"optimum_j", optimum_.optimum_j},
                       {"base_reward", optimum_.base_reward},
                       {"kl_weight", kl_weight},
                       {"base_judge_accuracy", mean_of(base.judged_right)},
                       {"base_frechet", distance_of(base)},
                       {"num_samples", static_cast<std::int64_t>(evaluate.num_samples)},
                       {"base_samples", static_cast<std::int64_t>(evaluate.base_samples)},
                       {"seed", static_cast<std::int64_t>(evaluate.seed)}};
  if (observer_)
    observer_(std::isnan(optimum_.optimum_j)
                  ? fmt::format("base reward {:.4f}", optimum_.base_reward)
                  : fmt::format("base reward {:.4f}  J* {:.4f}", optimum_.base_reward, optimum_.optimum_j));
}

void RunEvaluation::add_row(long epoch) {
  const double kl_weight = deck_.algorithm.kl_weight;
  const long samples = deck_.evaluate.num_samples;
  const RolloutKey key{deck_.evaluate.seed, 0};
  const PictureFeatures features = reference_ ? reference_->features : PictureFeatures();
  table_.epochs.push_back(epoch);
  for (std::size_t s = 0; s < table_.steps.size(); ++s) {
    const StepTable steps =
        step_table(parts_.policy.schedule(), deck_.sample, table_.steps[s], table_.solvers[s], key);
    const PolicyEvaluation drawn = evaluate_policy(parts_, steps, samples, key, {true, features, samples});
    const double reward = mean_of(drawn.reward), path = mean_of(drawn.kl_path),
                 chain = mean_of(drawn.kl_chain);
    const std::map<std::string, double> cells = {
        {"reward_mean", reward},
        {"reward_stderr", stderr_of(drawn.reward)},
        {"kl_path", path},
        {"kl_chain", chain},
        {"judge_accuracy", mean_of(drawn.judged_right)},
        {"frechet_distance", distance_of(drawn)},
        {"gain_share_path", share_of_gain(optimum_, kl_weight, reward, path)},
        {"gain_share_chain", share_of_gain(optimum_, kl_weight, reward, chain)}};
    for (const auto& [name, value] : cells)
      table_.tables.at(name).push_back(value);
    if (observer_)
      observer_(fmt::format("epoch {}  {} x {}  reward {:.4f}  kl {:.3f}", epoch, table_.steps[s],
                            table_.solvers[s], reward, path));
  }
}

} // namespace scoreact
