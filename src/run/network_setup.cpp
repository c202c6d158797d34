#include "run/network_setup.hpp"

#include "kernels/normal_noise.hpp"
#include "parallel/shard.hpp"

#include <algorithm>
#include <numeric>

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

StepTable scheduler_step_table(const SchedulerConfig& scheduler, const SampleOptions& sample) {
  const bool dpmpp = sample.solver.starts_with("dpmpp");
  const std::string spacing = !scheduler.timestep_spacing.empty() ? scheduler.timestep_spacing
                              : dpmpp                             ? "linspace"
                                                                  : "leading";
  const std::vector<long> times = scheduler_timesteps(sample.solver, spacing, scheduler.schedule.size(),
                                                      sample.num_steps, scheduler.steps_offset);
  const bool end_at_data = dpmpp || sample.solver == "ddpm" || scheduler.set_alpha_to_one;
  return make_step_table(scheduler.schedule, grid_from_timesteps(scheduler.schedule, times, end_at_data),
                         {sample.solver, sample.eta});
}

RewardContext reward_context(const std::shared_ptr<Denoiser>& network,
                             const std::vector<std::string>& prompts, long sample_micro_batch,
                             long train_micro_batch, c10::Device device) {
  RewardContext context;
  context.prompts = prompts;
  context.device = device;
  if (network->pixel_shape() == network->sample_shape())
    return context;
  context.to_pixels = [network](const at::Tensor& latents) { return network->to_pixels(latents); };
  const std::vector<long> shape = network->pixel_shape();
  constexpr long kPixelsAtOnce = 512 * 512; // of a decoder with its graph
  context.decoded_together = largest_divisor(std::gcd(sample_micro_batch, train_micro_batch),
                                             std::max(1L, kPixelsAtOnce / (shape[1] * shape[2])));
  return context;
}

c10::Device device_of(int device_id) {
  return device_id < 0 ? c10::Device(c10::kCPU)
                       : c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device_id));
}

} // namespace scoreact
