#pragma once
/// scoreact forward for ImageReward.
#include "models/forward_pass.hpp"

namespace scoreact {

/// pixel_values [n, 3, S, S], input_ids and attention_mask [n, L] -> reward [n, 1], normalised: what the
/// original's score_gard gives. Throws Error{data}.
NamedTensors forward_image_reward(const std::string& directory, ForwardInputs&, c10::Device);

} // namespace scoreact
