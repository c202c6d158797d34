// Group norm and SiLU in one pass (kernels/group_norm_silu.hpp): a team takes one group of one row, which is
// contiguous; sums in float64.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/detail/execution.hpp"
#include "kernels/group_norm_silu.hpp"

namespace scoreact::kernels::detail {

#if !defined(__CUDA_ARCH__)
/// Eight floats and eight integers, spelled out as vectors of the compiler: it vectorises sums badly by
/// itself, and turns the clamps of a sigmoid into branches.
using Pack = float __attribute__((vector_size(32)));
using PackBits = std::uint32_t __attribute__((vector_size(32)));
inline constexpr long pack_width = 8;

inline Pack load_pack(const float* from) {
  Pack pack;
  std::memcpy(&pack, from, sizeof pack);
  return pack;
}
inline void store_pack(float* to, const Pack& pack) { std::memcpy(to, &pack, sizeof pack); }
inline float total_of(const Pack& pack) {
  return ((pack[0] + pack[4]) + (pack[2] + pack[6])) + ((pack[1] + pack[5]) + (pack[3] + pack[7]));
}
#endif

/// 1 / (1 + exp(-z)), for a float or a pack of them (Bits: as many 32-bit integers). exp(x) is within 2 units
/// in the last place for x in [-60, 60] and clamped outside: range reduction by ln 2 and Cephes' polynomial,
/// without a branch. With wider bounds z sigmoid(bound) would be a subnormal number, which costs a hundred
/// cycles.
template <class Bits, class Value> KOKKOS_INLINE_FUNCTION Value sigmoid_of(const Value& z) {
  const Value bound = Value{} + 60.0F;
  Value x = -z;
  x = x > bound ? bound : x;
  x = x < -bound ? -bound : x;
  const float shift = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer
  const Value shifted = x * 1.44269504088896341F + shift;
  const Value whole = shifted - shift;
  const Value f = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
  Value p = f * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * f + 8.3334519073e-3F;
  p = p * f + 4.1665795894e-2F;
  p = p * f + 1.6666665459e-1F;
  p = p * f + 5.0000001201e-1F;
  const Value mantissa = p * f * f + f + 1.0F;
  Bits bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127U) << 23; // the integer sits in the low bits of `shifted`
  Value power;
  std::memcpy(&power, &bits, sizeof power);
  return 1.0F / (1.0F + mantissa * power);
}
KOKKOS_INLINE_FUNCTION float sigmoid(float z) { return sigmoid_of<std::uint32_t>(z); }

/// What the backward pass needs of one channel.
struct ChannelSums {
  double dz;   ///< sum of dJ/dz
  double u_dz; ///< sum of (x + offset) dJ/dz
  double u;    ///< sum of x + offset
};

/// Sums over the pixels of a channel. On the host eight float lanes, spelled out as vectors of the compiler
/// because it vectorises such sums badly by itself; a channel's sum then goes on in float64.
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
KOKKOS_INLINE_FUNCTION ChannelSums channel_sums(const Team& team, long n, const float* x, float offset,
                                                const float* dz) {
  return {pixel_sum(team, n, dz),
          row_sum(team, n, [&](const long i) { return static_cast<double>((x[i] + offset) * dz[i]); }),
          row_sum(team, n, [&](const long i) { return static_cast<double>(x[i] + offset); })};
}
#else
/// Four chains of sums, because one would wait for its own additions.
template <class OfPack, class OfOne>
KOKKOS_INLINE_FUNCTION double pack_sum(long n, const OfPack& pack_at, const OfOne& one_at) {
  constexpr long chains = 4;
  Pack sums[chains]{};
  long i = 0;
  for (; i + chains * pack_width <= n; i += chains * pack_width)
    for (long k = 0; k < chains; ++k)
      sums[k] += pack_at(i + k * pack_width);
  for (; i + pack_width <= n; i += pack_width)
    sums[0] += pack_at(i);
  float rest = 0;
  for (; i < n; ++i)
    rest += one_at(i);
  return total_of((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest;
}
template <class Team> KOKKOS_INLINE_FUNCTION double pixel_sum(const Team&, long n, const float* x) {
  return pack_sum(
      n, [=](long i) { return load_pack(x + i); }, [=](long i) { return x[i]; });
}
template <class Team>
KOKKOS_INLINE_FUNCTION double squares_sum(const Team&, long n, const float* x, float offset) {
  return pack_sum(
      n,
      [=](long i) {
        const Pack deviation = load_pack(x + i) + offset;
        return deviation * deviation;
      },
      [=](long i) { return (x[i] + offset) * (x[i] + offset); });
}
template <class Team>
KOKKOS_INLINE_FUNCTION ChannelSums channel_sums(const Team&, long n, const float* x, float offset,
                                                const float* dz) {
  Pack of_dz{}, of_product{}, of_u{};
  long i = 0;
  for (; i + pack_width <= n; i += pack_width) {
    const Pack u = load_pack(x + i) + offset, d = load_pack(dz + i);
    of_dz += d;
    of_product += u * d;
    of_u += u;
  }
  float rest_dz = 0, rest_product = 0, rest_u = 0;
  for (; i < n; ++i) {
    const float u = x[i] + offset;
    rest_dz += dz[i];
    rest_product += u * dz[i];
    rest_u += u;
  }
  return {total_of(of_dz) + rest_dz, total_of(of_product) + rest_product, total_of(of_u) + rest_u};
}
#endif

/// y = z sigmoid(z), z = (x + offset) gain + base, over the pixels of a channel.
template <class Team>
KOKKOS_INLINE_FUNCTION void silu_pixels(const Team& team, long n, const float* x, float offset, float gain,
                                        float base, float* y) {
  long first = 0;
#if !defined(__CUDA_ARCH__)
  for (; first + pack_width <= n; first += pack_width) {
    const Pack z = (load_pack(x + first) + offset) * gain + base;
    store_pack(y + first, z * sigmoid_of<PackBits>(z));
  }
#endif
  row_for(team, n - first, [=](const long i) {
    const float z = (x[first + i] + offset) * gain + base;
    y[first + i] = z * sigmoid(z);
  });
}

/// dz = dJ/dy times the derivative of the SiLU at the same z.
template <class Team>
KOKKOS_INLINE_FUNCTION void silu_gradient(const Team& team, long n, const float* x, float offset, float gain,
                                          float base, const float* dy, float* dz) {
  long first = 0;
#if !defined(__CUDA_ARCH__)
  for (; first + pack_width <= n; first += pack_width) {
    const Pack z = (load_pack(x + first) + offset) * gain + base;
    const Pack gate = sigmoid_of<PackBits>(z);
    store_pack(dz + first, load_pack(dy + first) * gate * (1.0F + z * (1.0F - gate)));
  }
#endif
  row_for(team, n - first, [=](const long i) {
    const float z = (x[first + i] + offset) * gain + base;
    const float gate = sigmoid(z);
    dz[first + i] = dy[first + i] * gate * (1.0F + z * (1.0F - gate));
  });
}

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
          silu_pixels(team, s.pixels, from, start, gain, base, to);
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
          silu_gradient(team, s.pixels, from, offset, inverse * gain, base, dy, dz);
          team.team_barrier();
          const ChannelSums sums = channel_sums(team, s.pixels, from, offset, dz);
          const double second = inverse * sums.u_dz;
          write_once(team, out.dbias_rows[at.channel_row + c], sums.dz);
          write_once(team, out.dweight_rows[at.channel_row + c], second);
          if (out.dshift) // until the group's sums are known
            write_once(team, out.dshift[at.channel_row + c], sums.u);
          sum_first += gain * sums.dz;
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
          if (out.dshift) { // the sum of dx, term by term; dz and u as written above by this thread
            const long channel = at.channel_row + c;
            const double dz = gain * out.dbias_rows[channel], u = inverse * out.dshift[channel];
            write_once(team, out.dshift[channel],
                       inverse * (dz - static_cast<double>(s.pixels) * mean_first - u * mean_second));
          }
        }
      });
}

} // namespace scoreact::kernels::detail
