// One sampler step: a team per row, its noise made in blocks that stay in registers or cache
// (kernels/sampler_step.hpp).
#pragma once

#include <cmath>

#include "kernels/detail/gaussian_kernel.hpp"
#include "kernels/detail/normal_noise_kernel.hpp"
#include "kernels/sampler_step.hpp"

namespace scoreact::kernels::detail {

template <class Exec, class ConstRows, class OutRows, class Out>
void sampler_step(const Exec& exec, NoiseKey action_key, NoiseKey brownian_key, std::int64_t first_sample,
                  StepCoefficients step, ConstRows state, ConstRows mean, ConstRows carried, OutRows action,
                  OutRows next, Out log_prob) {
  constexpr int width = noise_width<Exec>;
  const long elements = static_cast<long>(mean.extent(1));
  const long blocks = (elements + width - 1) / width;
  const auto keep = static_cast<float>(step.keep), push = static_cast<float>(step.push);
  const auto carry = static_cast<float>(step.carry), spread = static_cast<float>(step.spread);
  const auto action_std = static_cast<float>(step.action_std);
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::sampler_step", team_per_row(exec, static_cast<long>(mean.extent(0))),
      KOKKOS_LAMBDA(const Team& team) {
        const long row = team.league_rank();
        const RowCounter action_counter = row_counter(action_key, first_sample + row);
        const RowCounter brownian_counter = row_counter(brownian_key, first_sample + row);
        row_for(team, blocks, [&](const long block) {
          const long begin = block * width;
          const int count = elements - begin < width ? static_cast<int>(elements - begin) : width;
          float eps[width] = {}, z[width] = {};
          if (action_std != 0.0f) {
            noise_block<Normal, width>(action_counter, static_cast<std::uint32_t>(block), eps);
          }
          if (spread != 0.0f) {
            noise_block<Normal, width>(brownian_counter, static_cast<std::uint32_t>(block), z);
          }
          const float* x = &state(row, begin);
          const float* m = &mean(row, begin);
          const float* c = carry != 0.0f ? &carried(row, begin) : m;
          float* a = &action(row, begin);
          float* y = &next(row, begin);
          SCOREACT_INDEPENDENT
          for (int i = 0; i < count; ++i) {
            a[i] = m[i] + action_std * eps[i];
            y[i] = keep * x[i] + push * a[i] + carry * c[i] + spread * z[i];
          }
        });
        team.team_barrier();
        const double value = row_log_prob(team, elements, &action(row, 0), &mean(row, 0), step.action_std);
        write_once(team, log_prob(row), value);
      });
}

} // namespace scoreact::kernels::detail
