#pragma once
/// The pictures of a training run's grids: drawn from one noise every time.
#include "models/denoiser.hpp"

#include <cstdint>
#include <memory>

namespace scoreact {

/// How a grid is drawn. Twenty DDIM steps without noise show what a network has learnt.
struct TrainingSampleOptions {
  long num_steps = 20;
  long together = 16; ///< samples in one network call
  double guidance_scale = 1.0;
  std::uint64_t seed = 0; ///< of the noise
};

/// Final states, [B, ...] fp32, one for each entry of `prompt` [B] int64, which lies on the network's device.
at::Tensor draw_training_samples(const std::shared_ptr<Denoiser>&, const at::Tensor& prompt,
                                 const TrainingSampleOptions&);

} // namespace scoreact
