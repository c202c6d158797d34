#pragma once
/// The schedule of Stable Diffusion 1.x, which most tests of this folder take.
#include "diffusion/schedule.hpp"

namespace scoreact {

inline Schedule stable_diffusion() { return Schedule::scaled_linear(1000, 0.00085, 0.012); }

} // namespace scoreact
