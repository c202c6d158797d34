#pragma once
/// The steps of a model's own scheduler file, as diffusers computes them.
#include "diffusion/diffusion_options.hpp"
#include "diffusion/pndm.hpp"
#include "diffusion/step.hpp"
#include "models/scheduler_config.hpp"

#include <vector>

namespace scoreact {

/// The steps that diffusers' scheduler of `sample.solver` takes with the model's scheduler_config.json
/// (from_config): a missing timestep_spacing means that class's default, "linspace" for DPM-Solver++, else
/// "leading". DPM-Solver++ ends as final_sigmas_type says, ddpm at the data, the others as set_alpha_to_one
/// says; a step of ddim ends where diffusers' does, even if the next one begins elsewhere. Without
/// clip_sample (draw_clipped). Throws Error{data} for settings that are not computed.
StepTable scheduler_step_table(const SchedulerConfig&, const SampleOptions& sample);

/// The calls of diffusers' PNDMScheduler with the model's file. Throws Error{data}.
std::vector<PndmStep> scheduler_pndm_steps(const SchedulerConfig&, long num_steps);

} // namespace scoreact
