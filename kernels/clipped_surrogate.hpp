// The clipped surrogate of the policy update (paper eq. 27; docs/mathematics.md section 5), to be maximised.
// With L the log-ratio summed over d dimensions, q the advantage, w the weight and r = exp(L/d):
//   value = w d min( r q, clip(r) q ),  L/d clipped to [log_low/d, log_high/d]  (the true ratio is clipped)
//   value = w   min( r q, clip(r) q ),  L/d clipped to [log_low, log_high]      (mean_ratio, as peers do)
// At r = 1 the first one's derivative with respect to L is w q: the policy gradient, whatever d is.
#pragma once

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

struct SurrogateBounds {
  double log_low = 0;    ///< log(1 - clip), at most 0
  double log_high = 0;   ///< log(1 + clip), at least 0
  double dimensions = 1; ///< d
  bool mean_ratio = false;
};

/// Written by the kernel, in the memory of the stream.
struct SurrogateSummary {
  double value = 0;               ///< sum of value
  double clipped = 0;             ///< number of rows whose derivative is cut to 0
  double approx_kl = 0;           ///< sum of L^2 / 2, nats
  double max_ratio_deviation = 0; ///< max |r - 1|, r = exp(L/d)
};

/// @param log_ratio, advantage, weight [rows], log_ratio in nats, summed over dimensions
/// @param derivative, value [rows], out: d value / d log_ratio, and value; both include the weight
/// @param summary  out, one, in the memory of the stream (device memory if stream.on_device)
/// Throws std::invalid_argument if sizes differ, or if dimensions is not positive.
void clipped_surrogate(Stream, SurrogateBounds, Span<const double> log_ratio, Span<const double> advantage,
                       Span<const double> weight, Span<double> derivative, Span<double> value,
                       SurrogateSummary* summary);

} // namespace scoreact::kernels
