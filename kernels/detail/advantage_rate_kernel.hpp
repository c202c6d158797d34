// Advantage rate: a team and one reduction per row (kernels/advantage_rate.hpp). The centred KL term is
// summed in the factored form |a - p|^2 - |m - p|^2 = (a - m) . (a + m - 2 p), which does not cancel when a
// is near m.
#pragma once

#include "kernels/advantage_rate.hpp"
#include "kernels/detail/execution.hpp"

namespace scoreact::kernels::detail {

template <class Exec, class ConstRows, class ConstVector, class Out>
void advantage_rate(const Exec& exec, ConstRows action, ConstRows mean, ConstRows pretrained,
                    ConstRows value_gradient, ConstVector drift, ConstVector cost, ConstVector action_std,
                    bool centred, Out rate) {
  const long elements = static_cast<long>(mean.extent(1));
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::advantage_rate", team_per_row(exec, static_cast<long>(mean.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const long row = team.league_rank();
        const float* a = &action(row, 0);
        const float* m = &mean(row, 0);
        const float* p = &pretrained(row, 0);
        const float* gradient = &value_gradient(row, 0);
        const double push = drift(row), price = cost(row);
        double value = 0;
        if (centred) {
          const double s = action_std(row);
          value = row_sum(team, elements, [=](const long i) {
            const double act = a[i], middle = m[i];
            return (act - middle) * (push * gradient[i] - price * (act + middle - 2.0 * p[i]));
          });
          value += price * static_cast<double>(elements) * s * s;
        } else {
          value = row_sum(team, elements, [=](const long i) {
            const double act = a[i], away = act - static_cast<double>(p[i]);
            return push * act * gradient[i] - price * away * away;
          });
        }
        write_once(team, rate(row), value);
      });
}

template <class Exec, class ConstRows, class ConstVector, class Out>
void advantage_rate_from_difference(const Exec& exec, ConstRows action, ConstRows mean, ConstRows pretrained,
                                    ConstVector value_difference, ConstVector cost, ConstVector action_std,
                                    bool centred, Out rate) {
  const long elements = static_cast<long>(mean.extent(1));
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::advantage_rate_from_difference", team_per_row(exec, static_cast<long>(mean.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const long row = team.league_rank();
        const float* a = &action(row, 0);
        const float* m = &mean(row, 0);
        const float* p = &pretrained(row, 0);
        double squares = 0;
        if (centred) {
          const double s = action_std(row);
          squares = row_sum(team, elements, [=](const long i) {
            const double act = a[i], middle = m[i];
            return (act - middle) * (act + middle - 2.0 * p[i]);
          });
          squares -= static_cast<double>(elements) * s * s;
        } else {
          squares = row_sum(team, elements, [=](const long i) {
            const double away = static_cast<double>(a[i]) - static_cast<double>(p[i]);
            return away * away;
          });
        }
        write_once(team, rate(row), value_difference(row) - cost(row) * squares);
      });
}

} // namespace scoreact::kernels::detail
