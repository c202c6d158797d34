// Group norm and SiLU in one pass (kernels/group_norm_silu.hpp): a team takes one group of one row, which is
// contiguous; sums in float64.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/detail/execution.hpp"
#include "kernels/group_norm_silu.hpp"

namespace scoreact::kernels::detail {

/// exp(x) within 2 units in the last place for x in [-60, 60], clamped outside: range reduction by ln 2 and
/// Cephes' polynomial, without a branch, so that loops over it become vector code. The compiler computes both
/// sides of a clamp for every element; with wider bounds z sigmoid(bound) would be a subnormal number, which
/// costs a hundred cycles each.
KOKKOS_INLINE_FUNCTION float exponential(float x) {
  x = x > 60.0F ? 60.0F : x;
  x = x < -60.0F ? -60.0F : x;
  const float shift = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504088896341F + shift;
  const float whole = shifted - shift;
  const float f = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * f + 1.3981999507e-3F;
  p = p * f + 8.3334519073e-3F;
  p = p * f + 4.1665795894e-2F;
  p = p * f + 1.6666665459e-1F;
  p = p * f + 5.0000001201e-1F;
  const float mantissa = p * f * f + f + 1.0F;
  std::uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127U) << 23; // the integer sits in the low bits of `shifted`
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return mantissa * power;
}

KOKKOS_INLINE_FUNCTION float sigmoid(float z) { return 1.0F / (1.0F + exponential(-z)); }

/// Three sums over the pixels of a channel. On the host eight float lanes, spelled out as vectors of the
/// compiler because it vectorises such sums badly by itself; a channel's sum then goes on in float64.
#if defined(__CUDA_ARCH__)
template <class Team> KOKKOS_INLINE_FUNCTION double pixel_sum(const Team& team, long n, const float* x) {
  return row_sum(team, n, [&](const long i) { return static_cast<double>(x[i]); });
}
template <class Team>
KOKKOS_INLINE_FUNCTION double squares_sum(const Team& team, long n, const float* x, float offset) {
  return row_sum(team, n,
                 [&](const long i) { return static_cast<double>((x[i] + offset) * (x[i] + offset)); });
}
template <class Team>
KOKKOS_INLINE_FUNCTION double product_sum(const Team& team, long n, const float* x, float offset,
                                          const float* y) {
  return row_sum(team, n, [&](const long i) { return static_cast<double>((x[i] + offset) * y[i]); });
}
#else
using Pack = float __attribute__((vector_size(32)));
inline constexpr long pack_width = 8;

inline Pack load_pack(const float* from) {
  Pack pack;
  std::memcpy(&pack, from, sizeof pack);
  return pack;
}
inline float total_of(const Pack& pack) {
  return ((pack[0] + pack[4]) + (pack[2] + pack[6])) + ((pack[1] + pack[5]) + (pack[3] + pack[7]));
}

template <class Team> KOKKOS_INLINE_FUNCTION double pixel_sum(const Team&, long n, const float* x) {
  Pack lanes{};
  long i = 0;
  for (; i + pack_width <= n; i += pack_width)
    lanes += load_pack(x + i);
  float rest = 0;
  for (; i < n; ++i)
    rest += x[i];
  return total_of(lanes) + rest;
}
template <class Team>
KOKKOS_INLINE_FUNCTION double squares_sum(const Team&, long n, const float* x, float offset) {
  Pack lanes{};
  long i = 0;
  for (; i + pack_width <= n; i += pack_width) {
    const Pack deviation = load_pack(x + i) + offset;
    lanes += deviation * deviation;
  }
  float rest = 0;
  for (; i < n; ++i)
    rest += (x[i] + offset) * (x[i] + offset);
  return total_of(lanes) + rest;
}
template <class Team>
KOKKOS_INLINE_FUNCTION double product_sum(const Team&, long n, const float* x, float offset, const float* y) {
  Pack lanes{};
  long i = 0;
  for (; i + pack_width <= n; i += pack_width)
    lanes += (load_pack(x + i) + offset) * load_pack(y + i);
  float rest = 0;
  for (; i < n; ++i)
    rest += (x[i] + offset) * y[i];
  return total_of(lanes) + rest;
}
#endif

struct GroupNormSaved {
  const float *mean, *scale, *dy;
};
struct GroupNormGradients {
  float *dx, *dshift, *dweight_rows, *dbias_rows;
};

/// Where a team's group lies.
struct GroupOfRow {
  long first_channel; ///< within the row
  long channel_row;   ///< index of that channel in a [rows, channels] array
  long element;       ///< index of its first pixel in x
};

KOKKOS_INLINE_FUNCTION GroupOfRow group_of(const GroupNormShape& s, long item) {
  const long row = item / s.groups, first = (item % s.groups) * (s.channels / s.groups);
  return {first, row * s.channels + first, (row * s.channels + first) * s.pixels};
}

template <class Exec>
void group_norm_silu(const Exec& exec, const GroupNormInput& in, float* y, float* mean, float* scale) {
  const GroupNormShape s = in.shape;
  const float *const x = in.x.data, *const shift = in.shift.data;
  const float *const weight = in.weight.data, *const bias = in.bias.data;
  const double epsilon = in.epsilon;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::group_norm_silu", team_per_row(exec, s.rows * s.groups), KOKKOS_LAMBDA(const Team& team) {
        const long item = team.league_rank(), channels = s.channels / s.groups;
        const GroupOfRow at = group_of(s, item);
        const double count = static_cast<double>(channels * s.pixels);
        double sum = 0, squares = 0;
        for (long c = 0; c < channels; ++c) {
          const float* const from = x + at.element + c * s.pixels;
          const double offset = shift ? shift[at.channel_row + c] : 0.0F;
          sum += pixel_sum(team, s.pixels, from) + offset * static_cast<double>(s.pixels);
        }
        const double center = sum / count;
        for (long c = 0; c < channels; ++c) {
          const float* const from = x + at.element + c * s.pixels;
          const double offset = (shift ? shift[at.channel_row + c] : 0.0F) - center;
          squares += squares_sum(team, s.pixels, from, static_cast<float>(offset));
        }
        const double inverse = 1.0 / std::sqrt(squares / count + epsilon);
        write_once(team, mean[item], center);
        write_once(team, scale[item], inverse);
        for (long c = 0; c < channels; ++c) {
          const float* const from = x + at.element + c * s.pixels;
          float* const to = y + at.element + c * s.pixels;
          const float gain = static_cast<float>(inverse) * weight[at.first_channel + c];
          const double offset = (shift ? shift[at.channel_row + c] : 0.0F) - center;
          const float start = static_cast<float>(offset), base = bias[at.first_channel + c];
          row_for(team, s.pixels, [&](const long i) {
            const float z = (from[i] + start) * gain + base;
            to[i] = z * sigmoid(z);
          });
        }
      });
}

template <class Exec>
void group_norm_silu_backward(const Exec& exec, const GroupNormInput& in, GroupNormSaved saved,
                              GroupNormGradients out) {
  const GroupNormShape s = in.shape;
  const float *const x = in.x.data, *const shift = in.shift.data;
  const float *const weight = in.weight.data, *const bias = in.bias.data;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::group_norm_silu_backward", team_per_row(exec, s.rows * s.groups),
      KOKKOS_LAMBDA(const Team& team) {
        const long item = team.league_rank(), channels = s.channels / s.groups;
        const GroupOfRow at = group_of(s, item);
        const double count = static_cast<double>(channels * s.pixels);
        const float center = saved.mean[item], inverse = saved.scale[item];
        // dx holds dy through the SiLU first, dJ/dz
        double sum_first = 0, sum_second = 0; // over the group: dJ/dn and n dJ/dn
        for (long c = 0; c < channels; ++c) {
          const float* const from = x + at.element + c * s.pixels;
          const float* const dy = saved.dy + at.element + c * s.pixels;
          float* const dz = out.dx + at.element + c * s.pixels;
          const float gain = weight[at.first_channel + c], base = bias[at.first_channel + c];
          const float offset = (shift ? shift[at.channel_row + c] : 0.0F) - center;
          row_for(team, s.pixels, [&](const long i) {
            const float z = (from[i] + offset) * inverse * gain + base;
            const float gate = sigmoid(z);
            dz[i] = dy[i] * gate * (1.0F + z * (1.0F - gate));
          });
          team.team_barrier();
          const double first = pixel_sum(team, s.pixels, dz);
          const double second = inverse * product_sum(team, s.pixels, from, offset, dz);
          write_once(team, out.dbias_rows[at.channel_row + c], first);
          write_once(team, out.dweight_rows[at.channel_row + c], second);
          sum_first += gain * first;
          sum_second += gain * second;
        }
        const float mean_first = static_cast<float>(sum_first / count);
        const float mean_second = static_cast<float>(sum_second / count);
        for (long c = 0; c < channels; ++c) {
          const float* const from = x + at.element + c * s.pixels;
          float* const dx = out.dx + at.element + c * s.pixels;
          const float gain = weight[at.first_channel + c];
          const float offset = (shift ? shift[at.channel_row + c] : 0.0F) - center;
          row_for(team, s.pixels, [&](const long i) {
            const float normal = (from[i] + offset) * inverse;
            dx[i] = inverse * (gain * dx[i] - mean_first - normal * mean_second);
          });
          if (out.dshift) {
            team.team_barrier();
            write_once(team, out.dshift[at.channel_row + c], pixel_sum(team, s.pixels, dx));
          }
        }
      });
}

} // namespace scoreact::kernels::detail
