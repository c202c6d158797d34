#include "evaluation/draw_as_scheduler.hpp"

#include "evaluation/inference.hpp"
#include "evaluation/scheduler_steps.hpp"

namespace scoreact {

Drawn draw_as_scheduler(const std::shared_ptr<Denoiser>& network, const SchedulerConfig& scheduler,
                        const SampleOptions& sample, const Shard& shard, const at::Tensor& prompt,
                        const at::Tensor& noise, const RolloutKey& key) {
  if (sample.solver == kPndm) {
    const auto steps = scheduler_pndm_steps(scheduler, sample.num_steps);
    return {draw_pndm(*network, steps, sample.guidance_scale, shard.micro_batch, noise, prompt), kPndm, 0};
  }
  const StepTable table = scheduler_step_table(scheduler, sample);
  ScorePolicy policy(network, sample.guidance_scale);
  return {draw(policy, table, mean_actions(table), shard, prompt, key, noise), table.solver, table.eta};
}

} // namespace scoreact
