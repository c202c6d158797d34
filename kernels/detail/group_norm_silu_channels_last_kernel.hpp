// Group norm and SiLU of [rows, pixels, channels] (kernels/group_norm_silu.hpp): a team takes one row. Every
// sum is over pixels first and so a vector over channels, read in the order of memory; then over a group's
// channels. Sums over 64 pixels in float32, then in float64.
#pragma once

#include "kernels/detail/group_norm_silu_kernel.hpp"

namespace scoreact::kernels::detail {

/// Numbers of one row's channels, in the team's scratch memory.
template <class Exec, class Value>
using OfChannels =
    Kokkos::View<Value*, typename Exec::scratch_memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

/// A team a row with scratch for `arrays` float arrays and `sums` float64 arrays of its channels.
template <class Exec>
Kokkos::TeamPolicy<Exec> team_with_channels(const Exec& exec, const GroupNormShape& s, int arrays, int sums) {
  const std::size_t size = static_cast<std::size_t>(s.channels);
  const std::size_t bytes = static_cast<std::size_t>(arrays) * OfChannels<Exec, float>::shmem_size(size) +
                            static_cast<std::size_t>(sums) * OfChannels<Exec, double>::shmem_size(size);
  return team_per_row(exec, s.rows).set_scratch_size(1, Kokkos::PerTeam(static_cast<int>(bytes)));
}

/// body(channel, element, Value{}) for the pixels [begin, end) of every channel; element is the index in a
/// row. On the host Value is a Pack of channels from there on, or a float where fewer are left, pixel after
/// pixel; on the device it is a float, and a thread takes a channel.
template <class Team, class Body>
KOKKOS_INLINE_FUNCTION void each_pixel([[maybe_unused]] const Team& team, long begin, long end, long channels,
                                       const Body& body) {
#if defined(__CUDA_ARCH__)
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, channels), [&](const long c) {
    for (long p = begin; p < end; ++p)
      body(c, p * channels + c, float());
  });
#else
  for (long p = begin; p < end; ++p) {
    long c = 0;
    for (; c + pack_width <= channels; c += pack_width)
      body(c, p * channels + c, Pack());
    for (; c < channels; ++c)
      body(c, p * channels + c, float());
  }
#endif
}

KOKKOS_INLINE_FUNCTION void load(float& value, const float* from) { value = *from; }
KOKKOS_INLINE_FUNCTION void store(float* to, float value) { *to = value; }
KOKKOS_INLINE_FUNCTION float gate_of(float z) { return sigmoid(z); }
#if !defined(__CUDA_ARCH__)
inline void load(Pack& value, const float* from) { value = load_pack(from); }
inline void store(float* to, const Pack& value) { store_pack(to, value); }
inline Pack gate_of(const Pack& z) { return sigmoid_of<PackBits>(z); }
#endif
template <class Value> KOKKOS_INLINE_FUNCTION Value at(const float* from) {
  Value value;
  load(value, from);
  return value;
}

/// How many pixels are added in float32 before their sum goes on in float64.
inline constexpr long pixels_in_float = 64;

/// total[c] = sum over a row's pixels of term(c, value), by way of part; all [channels].
template <class Team, class Term>
KOKKOS_INLINE_FUNCTION void sum_pixels(const Team& team, const GroupNormShape& s, const float* x,
                                       const Term& term, float* part, double* total) {
  row_for(team, s.channels, [=](const long c) { total[c] = 0; });
  for (long p = 0; p < s.pixels; p += pixels_in_float) {
    const long end = p + pixels_in_float < s.pixels ? p + pixels_in_float : s.pixels;
    row_for(team, s.channels, [=](const long c) { part[c] = 0; });
    each_pixel(team, p, end, s.channels, [=](long c, long i, auto value) {
      using Value = decltype(value);
      store(part + c, at<Value>(part + c) + term(c, at<Value>(x + i)));
    });
    row_for(team, s.channels, [=](const long c) { total[c] += static_cast<double>(part[c]); });
  }
  team.team_barrier();
}

template <class Exec>
void group_norm_silu_channels_last(const Exec& exec, const GroupNormInput& in, float* y, float* mean,
                                   float* scale) {
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::group_norm_silu_channels_last", team_with_channels(exec, in.shape, 3, 1),
      KOKKOS_LAMBDA(const Team& team) {
        const GroupNormShape& s = in.shape;
        const long row = team.league_rank(), channels = s.channels, width = channels / s.groups;
        const double count = static_cast<double>(width * s.pixels);
        const float* const x = in.x.data + row * channels * s.pixels;
        const float* const shift = in.shift.data ? in.shift.data + row * channels : nullptr;
        const float *const weight = in.weight.data, *const bias = in.bias.data;
        float* const to = y + row * channels * s.pixels;
        const OfChannels<Exec, float> part_view(team.team_scratch(1), channels);
        const OfChannels<Exec, float> offset_view(team.team_scratch(1), channels);
        const OfChannels<Exec, float> gain_view(team.team_scratch(1), channels);
        const OfChannels<Exec, double> total_view(team.team_scratch(1), channels);
        float *const part = part_view.data(), *const offset = offset_view.data(),
                     *const gain = gain_view.data();
        double* const total = total_view.data();
        sum_pixels(
            team, s, x, [](long, const auto& value) { return value; }, part, total);
        row_for(team, s.groups, [=](const long g) {
          double sum = 0;
          for (long c = g * width; c < (g + 1) * width; ++c)
            sum += total[c] + (shift ? static_cast<double>(shift[c]) : 0.0) * static_cast<double>(s.pixels);
          const double center = sum / count;
          mean[row * s.groups + g] = static_cast<float>(center);
          for (long c = g * width; c < (g + 1) * width; ++c)
            offset[c] = static_cast<float>((shift ? static_cast<double>(shift[c]) : 0.0) - center);
        });
        team.team_barrier();
        const auto squared_deviation = [=](long c, const auto& value) {
          const auto deviation = value + at<std::decay_t<decltype(value)>>(offset + c);
          return deviation * deviation;
        };
        sum_pixels(team, s, x, squared_deviation, part, total);
        row_for(team, s.groups, [=](const long g) {
          double squares = 0;
          for (long c = g * width; c < (g + 1) * width; ++c)
            squares += total[c];
          const double inverse = 1.0 / std::sqrt(squares / count + static_cast<double>(in.epsilon));
          scale[row * s.groups + g] = static_cast<float>(inverse);
          for (long c = g * width; c < (g + 1) * width; ++c)
            gain[c] = static_cast<float>(inverse) * weight[c];
        });
        team.team_barrier();
        each_pixel(team, 0, s.pixels, channels, [=](long c, long i, auto value) {
          using Value = decltype(value);
          const Value z =
              (at<Value>(x + i) + at<Value>(offset + c)) * at<Value>(gain + c) + at<Value>(bias + c);
          store(to + i, z * gate_of(z));
        });
      });
}

template <class Exec>
void group_norm_silu_channels_last_backward(const Exec& exec, const GroupNormInput& in, GroupNormSaved saved,
                                            GroupNormGradients out) {
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;
  Kokkos::parallel_for(
      "scoreact::group_norm_silu_channels_last_backward", team_with_channels(exec, in.shape, 7, 3),
      KOKKOS_LAMBDA(const Team& team) {
        const GroupNormShape& s = in.shape;
        const long row = team.league_rank(), channels = s.channels, width = channels / s.groups;
        const double count = static_cast<double>(width * s.pixels);
        const float* const x = in.x.data + row * channels * s.pixels;
        const float* const dy = saved.dy + row * channels * s.pixels;
        const float* const shift = in.shift.data ? in.shift.data + row * channels : nullptr;
        const float *const weight = in.weight.data, *const bias = in.bias.data;
        float* const dx = out.dx + row * channels * s.pixels;
        float* arrays[7];
        for (float*& array : arrays)
          array = OfChannels<Exec, float>(team.team_scratch(1), channels).data();
        float *const offset = arrays[0], *const gain = arrays[1], *const constant = arrays[2],
                     *const slope = arrays[3];
        float *const part_dz = arrays[4], *const part_product = arrays[5], *const part_u = arrays[6];
        double* totals[3];
        for (double*& total : totals)
          total = OfChannels<Exec, double>(team.team_scratch(1), channels).data();
        double *const total_dz = totals[0], *const total_product = totals[1], *const total_u = totals[2];
        row_for(team, channels, [=](const long c) {
          const long group = row * s.groups + c / width;
          offset[c] = (shift ? shift[c] : 0.0F) - saved.mean[group];
          gain[c] = saved.scale[group] * weight[c];
          total_dz[c] = total_product[c] = total_u[c] = 0;
        });
        for (long p = 0; p < s.pixels; p += pixels_in_float) {
          const long end = p + pixels_in_float < s.pixels ? p + pixels_in_float : s.pixels;
          row_for(team, channels, [=](const long c) { part_dz[c] = part_product[c] = part_u[c] = 0; });
          each_pixel(team, p, end, channels, [=](long c, long i, auto value) {
            using Value = decltype(value);
            const Value u = at<Value>(x + i) + at<Value>(offset + c);
            const Value z = u * at<Value>(gain + c) + at<Value>(bias + c);
            const Value gate = gate_of(z);
            const Value dz = at<Value>(dy + i) * gate * (1.0F + z * (1.0F - gate));
            store(dx + i, dz); // until the group's sums are known
            store(part_dz + c, at<Value>(part_dz + c) + dz);
            store(part_product + c, at<Value>(part_product + c) + u * dz);
            store(part_u + c, at<Value>(part_u + c) + u);
          });
          row_for(team, channels, [=](const long c) {
            total_dz[c] += static_cast<double>(part_dz[c]);
            total_product[c] += static_cast<double>(part_product[c]);
            total_u[c] += static_cast<double>(part_u[c]);
          });
        }
        team.team_barrier();
        row_for(team, s.groups, [=](const long g) {
          const double inverse = saved.scale[row * s.groups + g];
          double first = 0, second = 0; // over the group: dJ/dn and n dJ/dn
          for (long c = g * width; c < (g + 1) * width; ++c) {
            first += static_cast<double>(weight[c]) * total_dz[c];
            second += static_cast<double>(weight[c]) * inverse * total_product[c];
          }
          first /= count, second /= count;
          for (long c = g * width; c < (g + 1) * width; ++c) {
            constant[c] = static_cast<float>(inverse * first);
            slope[c] = static_cast<float>(inverse * inverse * second);
            out.dbias_rows[row * channels + c] = static_cast<float>(total_dz[c]);
            out.dweight_rows[row * channels + c] = static_cast<float>(inverse * total_product[c]);
            if (out.dshift) { // the sum of dx, term by term
              const double normal = inverse * total_u[c];
              out.dshift[row * channels + c] =
                  static_cast<float>(inverse * (static_cast<double>(weight[c]) * total_dz[c] -
                                                static_cast<double>(s.pixels) * first - normal * second));
            }
          }
        });
        team.team_barrier();
        each_pixel(team, 0, s.pixels, channels, [=](long c, long i, auto value) {
          using Value = decltype(value);
          const Value u = at<Value>(x + i) + at<Value>(offset + c);
          store(dx + i,
                at<Value>(gain + c) * at<Value>(dx + i) - at<Value>(constant + c) - u * at<Value>(slope + c));
        });
      });
}

} // namespace scoreact::kernels::detail
