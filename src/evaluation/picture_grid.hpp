#pragma once
/// Pictures of a run: the same noise and prompts every time, so that change shows.
#include "rl/prompts.hpp"
#include "rl/rollout.hpp"

#include <filesystem>

namespace scoreact {

/// Final states [n, C, H, W] in [-1, 1] as one PNG (grey or RGB), small pictures enlarged.
void write_pictures(const std::filesystem::path&, const at::Tensor& images, long columns);

/// Draws `count` pictures with fixed noise and prompts in turn, `together` in a network call, and writes
/// them. Not for models whose samples are no images.
void write_progress_pictures(const std::filesystem::path&, ScorePolicy&, const StepTable&,
                             const std::vector<ActionStep>&, const Prompts&, const at::Device&, long count,
                             long together, std::uint64_t seed);

} // namespace scoreact
