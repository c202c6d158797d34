#pragma once
/// scoreact forward of the Inception network: inp [n, 3, h, w] in [0, 1], the argument of pytorch-fid's
/// InceptionV3 -> features [n, 2048], logits [n, 1008].
#include "models/forward_pass.hpp"

namespace scoreact {

/// Throws Error{missing_input | data}.
NamedTensors forward_inception(const std::string& directory, ForwardInputs&, c10::Device);

} // namespace scoreact
