// Path KL density (a team per row) and its integral over time (chunks of samples) (kernels/path_kl.hpp).
#pragma once

#include "kernels/detail/execution.hpp"
#include "kernels/path_kl.hpp"

namespace scoreact::kernels::detail {

template <class Exec, class ConstRows, class ConstVector, class Out>
void path_kl_density(const Exec& exec, ConstRows mean, ConstRows pretrained, ConstVector factor,
                     Out density) {
  const long elements = static_cast<long>(mean.extent(1));
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::path_kl_density", team_per_row(exec, static_cast<long>(mean.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const long row = team.league_rank();
        const float* m = &mean(row, 0);
        const float* p = &pretrained(row, 0);
        const double squares = row_sum(team, elements, [=](const long i) {
          const double difference = static_cast<double>(m[i]) - static_cast<double>(p[i]);
          return difference * difference;
        });
        write_once(team, density(row), factor(row) * squares);
      });
}

template <class Exec, class ConstRows, class Out>
void path_kl_integral(const Exec& exec, ConstRows density, ConstRows weight, Out integral) {
  constexpr long width = column_chunk<Exec>;
  const long times = static_cast<long>(density.extent(0)), samples = static_cast<long>(density.extent(1));
  Kokkos::parallel_for(
      "scoreact::path_kl_integral", range_of_chunks(exec, samples, width), KOKKOS_LAMBDA(const long item) {
        const long begin = item * width;
        const long count = samples - begin < width ? samples - begin : width;
        double sum[width] = {};
        for (long k = 0; k < times; ++k) {
          const double* row = &density(k, begin);
          const double* w = &weight(k, begin);
          for (long j = 0; j < count; ++j) {
            sum[j] += w[j] * row[j];
          }
        }
        for (long j = 0; j < count; ++j) {
          integral(begin + j) = sum[j];
        }
      });
}

} // namespace scoreact::kernels::detail
