// Returns with running cost: each work item walks its samples backwards in time (kernels/returns.hpp).
#pragma once

#include "kernels/detail/execution.hpp"
#include "kernels/returns.hpp"

namespace scoreact::kernels::detail {

template <class Exec, class ConstRows, class ConstVector, class OutRows>
void returns_with_running_cost(const Exec& exec, ConstRows cost, ConstVector reward, OutRows returns) {
  constexpr long width = column_chunk<Exec>;
  const long times = static_cast<long>(cost.extent(0)), samples = static_cast<long>(cost.extent(1));
  Kokkos::parallel_for(
      "scoreact::returns_with_running_cost", range_of_chunks(exec, samples, width),
      KOKKOS_LAMBDA(const long item) {
        const long begin = item * width;
        const long count = samples - begin < width ? samples - begin : width;
        double remaining[width] = {};
        for (long k = times - 1; k >= 0; --k) {
          const double* paid = &cost(k, begin);
          double* out = &returns(k, begin);
          SCOREACT_INDEPENDENT
          for (long j = 0; j < count; ++j) {
            remaining[j] += paid[j];
            out[j] = reward(begin + j) - remaining[j];
          }
        }
      });
}

} // namespace scoreact::kernels::detail
