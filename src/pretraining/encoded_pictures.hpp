#pragma once
/// Pictures as a frozen autoencoder sees them. Its part of a training step is done once for all steps: mean
/// and log-variance of every picture are kept, and a step draws from them.
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "parallel/communicator.hpp"

#include <ATen/core/Tensor.h>

namespace scoreact {

struct EncodedPictures {
  at::Tensor mean;   ///< [n, C, h, w] fp32, not scaled by scaling_factor
  at::Tensor logvar; ///< [n, C, h, w] fp32
};

/// Encodes pictures [n, 3, H, W] uint8, on the host; each rank does a share and every one gets all, on the
/// autoencoder's device, with the same bits on any number of ranks. Collective.
EncodedPictures encode_pictures(AutoencoderKL&, const at::Tensor& pictures, const Communicator&);

} // namespace scoreact
