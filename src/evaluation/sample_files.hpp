#pragma once
/// The files that `scoreact sample` leaves: samples.h5 (datasets images [n, C, H, W] or [n, d] float32 and
/// prompt [n] int64), grid.png to look at, latents.safetensors (key `latents`) to hand to other tools.
#include "store/hdf5_values.hpp"

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace scoreact {

/// Creates `folder`. `finals` are final states fp32, `prompt` [n] int64, both on the host; `attributes` go to
/// the root of samples.h5. The picture has a column a class where there are several, and at most about 400
/// samples; samples that are no images have none. Throws Error{io}.
void write_samples(const std::filesystem::path& folder, const at::Tensor& finals, const at::Tensor& prompt,
                   long classes, const Attributes& attributes);

} // namespace scoreact
