// Moments per group, in two passes over the values: means, then squared deviations
// (kernels/group_statistics.hpp). The host has one thread walk the values in order; the device gives every
// group a team that looks for its members.
#pragma once

#include "kernels/detail/execution.hpp"
#include "kernels/group_statistics.hpp"

namespace scoreact::kernels::detail {

template <class Exec, class ConstVector, class GroupVector, class Out>
void grouped_moments_in_order(const Exec& exec, ConstVector values, GroupVector group, Out moments) {
  const long n = static_cast<long>(values.extent(0)), groups = static_cast<long>(moments.extent(0));
  Kokkos::parallel_for(
      "scoreact::grouped_moments", Kokkos::RangePolicy<Exec>(exec, 0, 1), KOKKOS_LAMBDA(const long) {
        for (long g = 0; g < groups; ++g) {
          moments(g) = Moments{};
        }
        for (long i = 0; i < n; ++i) {
          if (group(i) >= 0 && group(i) < groups) {
            Moments& own = moments(group(i));
            own.count += 1;
            own.mean += values(i);
          }
        }
        for (long g = 0; g < groups; ++g) {
          moments(g).mean = moments(g).count > 0 ? moments(g).mean / moments(g).count : 0.0;
        }
        for (long i = 0; i < n; ++i) {
          if (group(i) >= 0 && group(i) < groups) {
            Moments& own = moments(group(i));
            const double away = values(i) - own.mean;
            own.m2 += away * away;
          }
        }
      });
}

template <class Exec, class ConstVector, class GroupVector, class Out>
void grouped_moments_by_team(const Exec& exec, ConstVector values, GroupVector group, Out moments) {
  const long n = static_cast<long>(values.extent(0));
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::grouped_moments", team_per_row(exec, static_cast<long>(moments.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const int g = team.league_rank();
        const double count = row_sum(team, n, [=](const long i) { return group(i) == g ? 1.0 : 0.0; });
        const double sum = row_sum(team, n, [=](const long i) { return group(i) == g ? values(i) : 0.0; });
        const double mean = count > 0 ? sum / count : 0.0;
        const double m2 = row_sum(team, n, [=](const long i) {
          const double away = group(i) == g ? values(i) - mean : 0.0;
          return away * away;
        });
        if (team.team_rank() == 0) {
          moments(g) = Moments{count, mean, m2};
        }
      });
}

template <class Exec, class ConstVector, class GroupVector, class Out>
void grouped_moments(const Exec& exec, ConstVector values, GroupVector group, Out moments) {
  if constexpr (on_host<Exec>) {
    grouped_moments_in_order(exec, values, group, moments);
  } else {
    grouped_moments_by_team(exec, values, group, moments);
  }
}

} // namespace scoreact::kernels::detail
