#pragma once
/// From a deck's [model] to a network.
#include "diffusion/diffusion_options.hpp"
#include "models/denoiser.hpp"
#include "models/model_options.hpp"
#include "models/text_conditions.hpp"

#include <c10/core/Device.h>

namespace scoreact {

/// The denoiser that [model] and [schedule] name, on `device`; `texts` are for models of text, `half` keeps
/// the frozen weights of a Stable Diffusion U-Net in bfloat16 (run.precision = "bf16"). Throws
/// Error{missing_input | data}.
std::shared_ptr<Denoiser> make_denoiser(const ModelOptions&, const ScheduleOptions&,
                                        c10::Device device = c10::Device(c10::kCPU),
                                        const TextConditions& texts = {}, bool half = false);

} // namespace scoreact
