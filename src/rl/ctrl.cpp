#include "rl/ctrl.hpp"

#include "error/error.hpp"
#include "parallel/stopwatch.hpp"
#include "rl/advantage.hpp"
#include "rl/path_kl.hpp"
#include "rl/value_fit.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact {

Ctrl::Ctrl(const AlgorithmContext& context)
    : context_(context),
      value_(context.reward, context.value, context.policy.sample_shape(),
             context.policy.network().num_prompts(), context.seed, context.ranks, context.deterministic,
             context.policy.network().named_parameters().front().second.device()),
      update_(context.policy, context.algorithm, context.train, context.learning_rate, context.ranks,
              context.deterministic) {}

double Ctrl::fit_value_to(Trajectories& batch, bool for_gradient) {
  const AlgorithmOptions& options = context_.algorithm;
  batch.times = choose_times(batch.steps(), context_.train.num_times, context_.train.timestep_fraction,
                             batch.seed, batch.epoch, batch.shard, batch.x.device());
  const long samples_per_call = context_.train.micro_batch_size;
  attach_pretrained(batch, context_.policy, samples_per_call); // eq. 16
  const at::Tensor returns =
      monte_carlo_returns(batch, options.kl_weight, context_.value.include_kl); // eq. 18
  if (!scaled_) {
    const double spread = global_std(batch.reward.unsqueeze(0), context_.ranks);
    value_.set_scale(spread > 0 ? spread : 1.0);
    scaled_ = true;
  }
  return fit_value(batch, returns, context_.policy, value_, context_.ranks, samples_per_call,
                   for_gradient); // eq. 20
}

double Ctrl::pretrain_value(Trajectories& batch) { return fit_value_to(batch, false); }

LearnReport Ctrl::learn(Trajectories& batch) {
  const AlgorithmOptions& options = context_.algorithm;
  ScorePolicy& policy = context_.policy;
  SCOREACT_REQUIRE(
      options.kl_weight == 0 || batch.table.stochastic(), ExitCode::data,
      "algorithm.kl_weight: {} with a deterministic sampler (solver {}, eta {}): the path KL is infinite",
      options.kl_weight, batch.table.solver, batch.table.eta);
  LearnReport report;
  Stopwatch clock;
  const long samples_per_call = context_.train.micro_batch_size;

  const bool by_gradient = options.update == "pathwise" || options.advantage == "gradient";
  report.value_mse = fit_value_to(batch, by_gradient);
  UpdateSignal signal;
  if (options.update == "pathwise") {
    const ValueAtRows here = value_at_rows(batch, policy, value_, true, samples_per_call);
    batch.value = here.value;
    batch.value_gradient = here.gradient;
    signal.value_gradient = here.gradient;
    report.advantage_std = 0;
  } else {
    attach_advantage(batch, policy, value_, options, samples_per_call); // eq. 5
    report.advantage_std = global_std(batch.advantage, context_.ranks);
    signal.advantage = batch.advantage.clone();
    standardise(signal.advantage, options.standardise, context_.train.adv_clip_max, context_.ranks);
  }
  batch.value_features.reset();
  report.value_time = clock.lap();

  report.update = update_(batch, signal); // eq. 23, 27
  report.update_time = clock.lap();

  report.kl_path = gather_samples(integrate(batch, batch.kl_step), context_.ranks);
  report.kl_chain = gather_samples(integrate(batch, batch.kl_chain_step), context_.ranks);
  report.network_evaluations =
      learn_cost(batch.shard.total, batch.steps(), batch.times.count()).network_evaluations +
      report.update.network_evaluations;
  return report;
}

LearnCost Ctrl::learn_cost(long samples, long steps, long times) const {
  const AlgorithmOptions& options = context_.algorithm;
  long means = 1;             // the pretrained one
  long frozen = 1, moved = 1; // branches of V: what fit and advantage share is evaluated once
  if (options.update == "pathwise" || options.advantage == "gradient") {
    means += 1;
    moved += 1; // with a graph to the state
  } else if (options.advantage == "finite_difference") {
    means += 2; // at both ends
    frozen += 2;
    moved += 2;
  } else if (times < steps) { // increment: V at the next step, too
    frozen += 1;
    moved += 1;
  }
  const long rows = samples * times;
  return {means * rows, frozen * rows, value_.has_copy() ? moved * rows : 0};
}

std::map<std::string, std::vector<double>> Ctrl::state() const {
  return scaled_ ? std::map<std::string, std::vector<double>>{{"value_scale", {value_.scale()}}}
                 : std::map<std::string, std::vector<double>>{};
}

void Ctrl::restore(const std::map<std::string, std::vector<double>>& state) {
  const auto found = state.find("value_scale");
  scaled_ = found != state.end() && found->second.size() == 1;
  if (scaled_)
    value_.set_scale(found->second[0]);
}

std::unique_ptr<Algorithm> make_ctrl(const AlgorithmContext& context) {
  return std::make_unique<Ctrl>(context);
}

} // namespace scoreact
