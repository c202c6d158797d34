#pragma once
/// Rollout of the policy through a step table (paper eq. 9 with eq. 13 in place of the score). Noise is keyed
/// by (seed, epoch, global sample, step, element), so the trajectories do not depend on ranks, batching or
/// restarts.
#include "rl/score_policy.hpp"
#include "rl/trajectories.hpp"

#include <functional>

namespace scoreact {

/// The draws of one rollout: which noise belongs to it.
struct RolloutKey {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
};

/// One step of one micro-batch, as an observer sees it.
struct StepView {
  long step;
  long first;               ///< local number of the micro-batch's first sample
  const at::Tensor& x;      ///< [m, ...] state before the step
  const at::Tensor& mean;   ///< [m, ...] policy mean there
  const at::Tensor& action; ///< [m, ...]
  const at::Tensor& next;   ///< [m, ...]
  const RowTimes& times;
  const at::Tensor& prompt; ///< [m]
};

/// Collects whole trajectories of this rank's shard; prompt [B] int64 lies on the networks' device.
Trajectories collect(ScorePolicy&, const StepTable&, const std::vector<ActionStep>&, const Shard&,
                     const at::Tensor& prompt, const RolloutKey&);

/// The noise that the shard's samples start from, [B, ...] fp32 on `device`.
at::Tensor initial_states(const RolloutKey&, const Shard&, const std::vector<long>& sample_shape,
                          const at::Device& device);

/// Draws final states only, [B, ...]; `observe` (may be empty) sees every step. Uses `initial` [B, ...] as
/// the noise if defined.
at::Tensor draw(ScorePolicy&, const StepTable&, const std::vector<ActionStep>&, const Shard&,
                const at::Tensor& prompt, const RolloutKey&, const at::Tensor& initial = {},
                const std::function<void(const StepView&)>& observe = {});

/// Passes of a network for one score: two with guidance, with the prompt and without.
long passes_per_score(double guidance_scale);

/// Network evaluations (samples times calls) of one rollout of `samples`, guidance counted.
long rollout_network_evaluations(const StepTable&, long samples, double guidance_scale);

} // namespace scoreact
