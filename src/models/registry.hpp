#pragma once
/// From a deck's [model] to a network.
#include "diffusion/diffusion_options.hpp"
#include "models/denoiser.hpp"
#include "models/model_options.hpp"
#include "models/text_conditions.hpp"

#include <c10/core/Device.h>

namespace scoreact {

/// The denoiser that [model] and [schedule] name, on `device`; `texts` are for models of text. Throws
/// Error{missing_input | data}.
std::shared_ptr<Denoiser> make_denoiser(const ModelOptions&, const ScheduleOptions&,
                                        c10::Device device = c10::Device(c10::kCPU),
                                        const TextConditions& texts = {});

} // namespace scoreact
