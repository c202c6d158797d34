#pragma once
/// Initial values of CLIP networks that are trained from nothing.
#include "models/weights.hpp"

#include <cstdint>

namespace scoreact {

/// Gives each tensor, by its name, the values of transformers' CLIPPreTrainedModel (initializer_factor 1) and
/// lets it be trained (requires_grad): norms 1 and 0, biases 0, embeddings N(0, 0.02^2), matrices normal with
/// deviations that fall with width and depth, logit_scale ln(1 / 0.07). Drawn on the CPU from `seed` in the
/// order of `tensors`. Throws Error{internal} for a name that is not CLIP's.
/// @param text_layers, vision_layers depth of the towers; a tower that is absent has any
void initialise_clip(const NamedTensors& tensors, long text_layers, long vision_layers, std::uint64_t seed);

} // namespace scoreact
