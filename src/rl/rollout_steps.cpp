#include "rl/rollout_steps.hpp"

#include "kernels/normal_noise.hpp"

namespace scoreact {

StepTable step_table(const Schedule& schedule, const SampleOptions& sample, const RolloutKey& key) {
  GridOptions grid;
  grid.kind = sample.grid;
  grid.num_steps = sample.num_steps;
  if (sample.grid == "stratified")
    for (long k = 0; k < sample.num_steps; ++k)
      grid.cell_uniforms.push_back(kernels::uniform_at({key.seed, key.epoch, 2, kernels::Purpose::time}, 0,
                                                       static_cast<std::uint32_t>(k)));
  return make_step_table(schedule, make_grid(schedule, grid), {sample.solver, sample.eta});
}

StepTable step_table(const Schedule& schedule, SampleOptions sample, long num_steps,
                     const std::string& solver, const RolloutKey& key) {
  sample.num_steps = num_steps;
  sample.solver = solver;
  return step_table(schedule, sample, key);
}

} // namespace scoreact
