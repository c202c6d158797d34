// Log-density and log-ratio of isotropic Gaussian policies, one standard deviation per row
// (docs/mathematics.md section 3):
//   log_prob  = sum_i -(a_i - m_i)^2 / (2 s^2) - d log s - d/2 log(2 pi)
//   log_ratio = sum_i (m_i - m_old_i)(2 a_i - m_i - m_old_i) / (2 s^2)      ( = log_prob - log_prob_old )
// The factored form is exactly 0.0 when the means agree bitwise, as the first optimiser step of a rollout
// requires. Accumulated in float64; a row's result does not depend on how many rows the call has.
#pragma once

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

/// Over the elements of a row: the true log-ratio (sum), or the peers' convention (mean).
enum class LogRatioReduction { sum, mean };

/// @param action, mean, old_mean [samples, elements];  std [samples], a row with std 0 gives 0
/// @param log_ratio [samples], out, nats
/// Throws std::invalid_argument if shapes differ.
void gaussian_log_ratio(Stream, Rows<const float> action, Rows<const float> mean, Rows<const float> old_mean,
                        Span<const double> std, LogRatioReduction, Span<double> log_ratio);

/// mean_gradient = upstream d(log_ratio)/d(mean) = upstream (a - m) / s^2 (over d for the mean); rows with
/// std 0 give 0.
/// @param action, mean [samples, elements];  std, upstream [samples];  mean_gradient [samples, elements], out
void gaussian_log_ratio_backward(Stream, Rows<const float> action, Rows<const float> mean,
                                 Span<const double> std, LogRatioReduction, Span<const double> upstream,
                                 Rows<float> mean_gradient);

/// @param action, mean [samples, elements];  std [samples], a row with std 0 gives 0;  log_prob [samples],
/// out, nats
void gaussian_log_prob(Stream, Rows<const float> action, Rows<const float> mean, Span<const double> std,
                       Span<double> log_prob);

} // namespace scoreact::kernels
