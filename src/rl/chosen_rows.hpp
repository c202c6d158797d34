#pragma once
/// The rows of a rollout at its chosen times: batches over time as well as samples. Row order is
/// [time][sample]; the times of two samples may differ.
#include "models/denoiser.hpp"
#include "rl/trajectories.hpp"

#include <functional>

namespace scoreact {

/// Rows of the samples [first, first + count) (local numbers) at the chosen times of a rollout.
struct ChosenRows {
  at::Tensor x, action, old_mean; ///< [T count, ...] fp32
  at::Tensor prompt;              ///< [T count] int64
  at::Tensor step;                ///< [T count] int64
  at::Tensor weight;              ///< [T count] float64, of the quadrature over the steps
  RowTimes times;
  at::Tensor action_std; ///< [T count] float64
};
ChosenRows chosen_rows(const Trajectories&, const Schedule&, long first, long count);

/// A [T, B]-shaped tensor's columns [first, first + count) as contiguous rows [T count, ...].
at::Tensor rows_of(const at::Tensor& time_by_sample, long first, long count);

/// A number of the table's steps, looked up for each row: float64 of the shape of `step` (int64) and on its
/// device.
at::Tensor step_numbers(const StepTable&, const at::Tensor& step,
                        const std::function<double(const Step&)>& number);

} // namespace scoreact
