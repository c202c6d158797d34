// Clipped surrogate, its derivative and its summary in one pass (kernels/clipped_surrogate.hpp).
#pragma once

#include <cmath>

#include "kernels/clipped_surrogate.hpp"
#include "kernels/detail/execution.hpp"

namespace scoreact::kernels {

/// Lets Kokkos::Sum reduce summaries: three sums and one maximum.
KOKKOS_INLINE_FUNCTION SurrogateSummary& operator+=(SurrogateSummary& into, const SurrogateSummary& other) {
  into.value += other.value;
  into.clipped += other.clipped;
  into.approx_kl += other.approx_kl;
  into.max_ratio_deviation = other.max_ratio_deviation > into.max_ratio_deviation ? other.max_ratio_deviation
                                                                                  : into.max_ratio_deviation;
  return into;
}

} // namespace scoreact::kernels

namespace Kokkos {
template <> struct reduction_identity<scoreact::kernels::SurrogateSummary> {
  KOKKOS_FORCEINLINE_FUNCTION static scoreact::kernels::SurrogateSummary sum() { return {}; }
};
} // namespace Kokkos

namespace scoreact::kernels::detail {

template <class Exec, class ConstVector, class Out, class Summary>
void clipped_surrogate(const Exec& exec, SurrogateBounds bounds, ConstVector log_ratio, ConstVector advantage,
                       ConstVector weight, Out derivative, Out value, Summary summary) {
  const double scale = bounds.mean_ratio ? 1.0 : bounds.dimensions; // the factor in front, and of the bounds
  const double low = bounds.log_low / scale, high = bounds.log_high / scale;
  const double dimensions = bounds.dimensions;
  const Kokkos::Sum<SurrogateSummary, typename Exec::memory_space> reducer(summary);
  Kokkos::parallel_reduce(
      "scoreact::clipped_surrogate",
      Kokkos::RangePolicy<Exec>(exec, 0, static_cast<long>(log_ratio.extent(0))),
      KOKKOS_LAMBDA(const long row, SurrogateSummary& partial) {
        const double total = log_ratio(row), q = advantage(row);
        const double log_r = total / dimensions;
        const double deviation = std::expm1(log_r); // r - 1 without cancellation: d is large, r close to 1
        // The minimum takes the clipped branch where moving further would raise the objective.
        const bool cut = (q > 0 && log_r > high) || (q < 0 && log_r < low);
        const double r = cut ? std::exp(q > 0 ? high : low) : 1.0 + deviation;
        derivative(row) = cut ? 0.0 : weight(row) * r * q * scale / dimensions;
        value(row) = weight(row) * scale * r * q;
        partial += SurrogateSummary{value(row), cut ? 1.0 : 0.0, 0.5 * total * total, std::fabs(deviation)};
      },
      reducer);
}

} // namespace scoreact::kernels::detail
