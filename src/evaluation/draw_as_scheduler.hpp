#pragma once
/// Drawing as diffusers' own pipeline does: the steps of the model's scheduler file, whatever they are.
#include "evaluation/draw_pndm.hpp"
#include "models/scheduler_config.hpp"
#include "rl/rollout.hpp"

namespace scoreact {

struct Drawn {
  at::Tensor finals; ///< [B, ...] of this rank
  std::string solver;
  double eta = 0;
};

/// Final states of `noise` [B, ...] fp32 under prompts [B] int64 with sample.num_steps steps of
/// sample.solver, which may be pndm; sample.grid is not looked at. Without clip_sample, which diffusers
/// switches off for Stable Diffusion (for others draw_clipped). Throws Error{data} for settings that are not
/// computed.
Drawn draw_as_scheduler(const std::shared_ptr<Denoiser>&, const SchedulerConfig&, const SampleOptions& sample,
                        const Shard&, const at::Tensor& prompt, const at::Tensor& noise, const RolloutKey&);

} // namespace scoreact
