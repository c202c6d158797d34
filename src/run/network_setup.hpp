#pragma once
/// From the tables of a deck to the parts of a rollout: step table of an epoch, device, micro-batches.
#include "diffusion/diffusion_options.hpp"
#include "diffusion/step.hpp"
#include "rl/rollout.hpp"

#include <c10/core/Device.h>

namespace scoreact {

/// Solver and grid of [sample]; a stratified grid is drawn anew for each key.
StepTable step_table(const Schedule&, const SampleOptions&, const RolloutKey&);
/// The same with another number of steps or another solver (evaluation).
StepTable step_table(const Schedule&, SampleOptions, long num_steps, const std::string& solver,
                     const RolloutKey&);

/// The device of this rank: the host for a negative id.
c10::Device device_of(int device_id);

} // namespace scoreact
