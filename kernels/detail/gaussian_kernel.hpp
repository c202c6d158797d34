// Gaussian log-density, log-ratio and its derivative: a team and one reduction per row
// (kernels/gaussian_log_ratio.hpp).
#pragma once

#include <cmath>

#include "kernels/detail/execution.hpp"
#include "kernels/gaussian_log_ratio.hpp"

namespace scoreact::kernels::detail {

/// log N(action | mean, std^2 I) of one row; 0 for std 0.
template <class Team>
KOKKOS_INLINE_FUNCTION double row_log_prob(const Team& team, long elements, const float* action,
                                           const float* mean, double std) {
  if (std == 0) {
    return 0;
  }
  const double squares = row_sum(team, elements, [=](const long i) {
    const double difference = static_cast<double>(action[i]) - static_cast<double>(mean[i]);
    return difference * difference;
  });
  const double half_log_two_pi = 0.91893853320467274178;
  return -squares / (2 * std * std) - static_cast<double>(elements) * (std::log(std) + half_log_two_pi);
}

template <class Exec, class ConstRows, class ConstVector, class Out>
void gaussian_log_prob(const Exec& exec, ConstRows action, ConstRows mean, ConstVector std, Out log_prob) {
  const long elements = static_cast<long>(mean.extent(1));
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::gaussian_log_prob", team_per_row(exec, static_cast<long>(mean.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const long row = team.league_rank();
        const double value = row_log_prob(team, elements, &action(row, 0), &mean(row, 0), std(row));
        write_once(team, log_prob(row), value);
      });
}

template <class Exec, class ConstRows, class ConstVector, class Out>
void gaussian_log_ratio(const Exec& exec, ConstRows action, ConstRows mean, ConstRows old_mean,
                        ConstVector std, double reduction_factor, Out log_ratio) {
  const long elements = static_cast<long>(mean.extent(1));
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::gaussian_log_ratio", team_per_row(exec, static_cast<long>(mean.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const long row = team.league_rank();
        const float* a = &action(row, 0);
        const float* m = &mean(row, 0);
        const float* old = &old_mean(row, 0);
        const double s = std(row);
        const double sum = row_sum(team, elements, [=](const long i) {
          const double now = m[i], before = old[i];
          return (now - before) * (2.0 * a[i] - now - before);
        });
        write_once(team, log_ratio(row), s == 0 ? 0.0 : reduction_factor * sum / (2 * s * s));
      });
}

template <class Exec, class ConstRows, class ConstVector, class OutRows>
void gaussian_log_ratio_backward(const Exec& exec, ConstRows action, ConstRows mean, ConstVector std,
                                 double reduction_factor, ConstVector upstream, OutRows mean_gradient) {
  const long elements = static_cast<long>(mean.extent(1));
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::gaussian_log_ratio_backward", team_per_row(exec, static_cast<long>(mean.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const long row = team.league_rank();
        const float* a = &action(row, 0);
        const float* m = &mean(row, 0);
        float* gradient = &mean_gradient(row, 0);
        const double s = std(row);
        const float factor = s == 0 ? 0.0f : static_cast<float>(upstream(row) * reduction_factor / (s * s));
        row_for(team, elements, [=](const long i) { gradient[i] = factor * (a[i] - m[i]); });
      });
}

} // namespace scoreact::kernels::detail
