#pragma once
/// Drawing with PNDM (diffusion/pndm.hpp), which has a memory and so stands outside of the step tables.
#include "diffusion/pndm.hpp"
#include "models/denoiser.hpp"
#include "parallel/shard.hpp"

namespace scoreact {

/// Final states [B, ...] of `initial` noise [B, ...] fp32 under prompts [B] int64, micro-batch by
/// micro-batch.
at::Tensor draw_pndm(Denoiser&, const std::vector<PndmStep>&, double guidance_scale, long micro_batch,
                     const at::Tensor& initial, const at::Tensor& prompt);

} // namespace scoreact
