#include "pretraining/training_samples.hpp"

#include "diffusion/grid.hpp"
#include "diffusion/step.hpp"
#include "rl/rollout.hpp"

#include <algorithm>

namespace scoreact {

at::Tensor draw_training_samples(const std::shared_ptr<Denoiser>& network, const at::Tensor& prompt,
                                 const TrainingSampleOptions& options) {
  const Schedule& schedule = network->schedule();
  const StepTable table = make_step_table(
      schedule, make_grid(schedule, {.kind = "leading", .num_steps = options.num_steps}), {"ddim", 0.0});
  const std::vector<ActionStep> means(table.steps.size()); // no exploration, and eta = 0 has no noise
  const long count = prompt.size(0);
  ScorePolicy policy(network, options.guidance_scale);
  return draw(policy, table, means, {count, std::min(options.together, count), 0, count}, prompt,
              {options.seed, 0});
}

} // namespace scoreact
