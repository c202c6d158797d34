#pragma once
/// The step table of a rollout: what the tables [sample] and [schedule] of a deck say.
#include "diffusion/diffusion_options.hpp"
#include "diffusion/step.hpp"
#include "rl/rollout.hpp"

#include <string>

namespace scoreact {

/// Solver and grid of [sample]; a stratified grid is drawn anew for each key.
StepTable step_table(const Schedule&, const SampleOptions&, const RolloutKey&);
/// The same with another number of steps or another solver (evaluation).
StepTable step_table(const Schedule&, SampleOptions, long num_steps, const std::string& solver,
                     const RolloutKey&);

} // namespace scoreact
