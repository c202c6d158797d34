#pragma once
/// The rows of a rollout at its chosen times: batches over time as well as samples. Row order is
/// [time][sample].
#include "models/denoiser.hpp"
#include "rl/trajectories.hpp"

namespace scoreact {

/// Rows of the samples [first, first + count) (local numbers) at the chosen times of a rollout.
struct ChosenRows {
  at::Tensor x, action, old_mean; ///< [T count, ...] fp32
  at::Tensor prompt;              ///< [T count] int64
  RowTimes times;
  at::Tensor action_std; ///< [T count] float64
};
ChosenRows chosen_rows(const Trajectories&, const Schedule&, long first, long count);

/// A [T, B]-shaped tensor's columns [first, first + count) as rows [T count, ...].
at::Tensor rows_of(const at::Tensor& time_by_sample, long first, long count);

/// One number a chosen step, as rows [T count] float64 on `like`'s device.
at::Tensor per_step_rows(const std::vector<double>& per_step, long count, const at::Tensor& like);

/// Quadrature over a random subset of the steps, the same for all samples of an epoch: K strata, the last
/// steps always in (docs/mathematics.md sections 2 and 5). num_times 0 = fraction of all steps; all of them
/// get weight 1.
StepSubset choose_times(const StepTable&, long num_times, double fraction, std::uint64_t seed,
                        std::uint32_t epoch);

} // namespace scoreact
