#pragma once
/// From the tables of a deck to the parts of a run: step table of an epoch, what rewards know, device.
#include "diffusion/diffusion_options.hpp"
#include "diffusion/pndm.hpp"
#include "diffusion/step.hpp"
#include "models/denoiser.hpp"
#include "models/scheduler_config.hpp"
#include "rewards/reward.hpp"
#include "rl/rollout.hpp"

#include <c10/core/Device.h>

namespace scoreact {

/// Solver and grid of [sample]; a stratified grid is drawn anew for each key.
StepTable step_table(const Schedule&, const SampleOptions&, const RolloutKey&);
/// The same with another number of steps or another solver (evaluation).
StepTable step_table(const Schedule&, SampleOptions, long num_steps, const std::string& solver,
                     const RolloutKey&);

/// The steps that diffusers' scheduler of `sample.solver` takes with the model's scheduler_config.json
/// (from_config): a missing timestep_spacing means that class's default, "linspace" for DPM-Solver++, else
/// "leading". DPM-Solver++ ends as final_sigmas_type says, ddpm at the data, the others as set_alpha_to_one
/// says; a step of ddim ends where diffusers' does, even if the next one begins elsewhere. Without
/// clip_sample (draw_clipped). Throws Error{data} for settings that are not computed.
StepTable scheduler_step_table(const SchedulerConfig&, const SampleOptions& sample);

/// The calls of diffusers' PNDMScheduler with the model's file. Throws Error{data}.
std::vector<PndmStep> scheduler_pndm_steps(const SchedulerConfig&, long num_steps);

/// What rewards know of the model. Latents are decoded `decoded_together` at a time: a divisor of both
/// micro-batches, so that the bits do not depend on the number of ranks.
RewardContext reward_context(const std::shared_ptr<Denoiser>&, const std::vector<std::string>& prompts,
                             long sample_micro_batch, long train_micro_batch, c10::Device);

/// The device of this rank: the host for a negative id.
c10::Device device_of(int device_id);

} // namespace scoreact
