#include "rl/ddpo.hpp"

#include "error/error.hpp"
#include "parallel/stopwatch.hpp"
#include "rl/path_kl.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {

Ddpo::Ddpo(const AlgorithmContext& context)
    : context_(context), statistics_(context.prompt_stats),
      update_(context.policy, context.algorithm, context.train, context.learning_rate, context.ranks,
              context.deterministic) {
  SCOREACT_REQUIRE(context.algorithm.update != "pathwise", ExitCode::data,
                   "algorithm.update: \"pathwise\" needs a value function; ddpo takes clipped (DDPO-IS) or "
                   "policy_gradient (DDPO-SF)");
}

LearnReport Ddpo::learn(Trajectories& batch) {
  LearnReport report;
  Stopwatch clock;
  const PathKl kl = estimate_path_kl(batch, context_.policy, context_.ranks);
  report.kl_path = kl.path;
  report.kl_chain = kl.chain;

  batch.times = choose_times(batch.steps(), context_.train.num_times, context_.train.timestep_fraction,
                             batch.seed, batch.epoch, batch.shard, batch.x.device());
  const long times = batch.times.count();
  std::vector<double> advantage = statistics_.advantages(gather_samples(batch.reward, context_.ranks),
                                                         gather_samples(batch.prompt, context_.ranks));
  const double limit = context_.train.adv_clip_max;
  if (limit > 0)
    for (double& a : advantage)
      a = std::clamp(a, -limit, limit);
  const at::Tensor mine =
      at::from_blob(advantage.data() + batch.shard.first, {batch.samples()}, at::kDouble).clone();
  batch.advantage = mine.to(batch.x.device()).expand({times, batch.samples()}).contiguous();
  report.advantage_std = global_std(batch.advantage, context_.ranks);
  report.value_time = clock.lap();

  report.update = update_(batch, {batch.advantage, {}});
  report.update_time = clock.lap();
  report.network_evaluations = report.update.network_evaluations + kl.network_evaluations;
  return report;
}

LearnCost Ddpo::learn_cost(long samples, long steps, long /*times*/) const {
  return {.network_evaluations = path_kl_evaluations(samples, steps)};
}

std::unique_ptr<Algorithm> make_ddpo(const AlgorithmContext& context) {
  return std::make_unique<Ddpo>(context);
}

} // namespace scoreact
