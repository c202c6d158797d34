#pragma once
/// The files that `scoreact sample` leaves: samples.h5 (datasets images [n, C, H, W] or [n, d] float32,
/// prompt [n] int64, and prompt_text [n] for models of text), grid.png to look at, latents.safetensors (key
/// `latents`: the final state) to hand to other tools.
#include "store/hdf5_values.hpp"

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace scoreact {

/// Samples on the host, fp32; pictures and final states are the same unless the model draws latents.
struct SampleSet {
  at::Tensor latents, images;
  at::Tensor prompt;              ///< [n] int64
  std::vector<std::string> texts; ///< what the prompts count; empty for models of classes
};

/// Creates `folder`. `attributes` go to the root of samples.h5. The picture has a column a class where there
/// are several, and at most about 400 samples; samples that are no images have none. Throws Error{io}.
void write_samples(const std::filesystem::path& folder, const SampleSet& samples, long classes,
                   const Attributes& attributes);

} // namespace scoreact
