#pragma once
/// diffusers' DDIMScheduler and DDPMScheduler with clip_sample, as its pipelines for pixels draw: x0hat is
/// clipped within each step, so that no step is affine and there is no step table, log-probability or KL. For
/// comparing with published pictures only.
#include "models/denoiser.hpp"
#include "models/scheduler_config.hpp"

#include <ATen/core/Generator.h>

namespace scoreact {

/// Final states [B, ...] of `initial` [B, ...] fp32 with `num_steps` steps of `solver` (ddim with eta = 0, or
/// ddpm), without prompts; each step's noise is drawn from `generator` as diffusers does. Throws Error{data}
/// for settings that are not computed.
at::Tensor draw_clipped(Denoiser&, const SchedulerConfig&, const std::string& solver, long num_steps,
                        const at::Tensor& initial, const at::Generator& generator);

} // namespace scoreact
