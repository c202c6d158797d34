// Blocks of noise, and the kernels that fill arrays with them. On the host a block is 64 elements made by
// branch-free loops over 16 Philox counters, written so that the compiler turns them into vector code; on the
// device it is the 4 elements of one counter. noise_block is the only source of numbers: kernels that fuse
// noise call it too, so that their numbers are those of normal_noise to the last bit.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/detail/execution.hpp"
#include "kernels/normal_noise.hpp"
#include "kernels/philox.hpp"

namespace scoreact::kernels::detail {

/// Counter and key of one row; only the block number is missing.
struct RowCounter {
  std::uint32_t sample, step_purpose, epoch, key0, key1;
};

SCOREACT_FUNCTION constexpr RowCounter row_counter(NoiseKey key, std::int64_t sample) {
  const std::uint64_t bits = static_cast<std::uint64_t>(sample);
  return {static_cast<std::uint32_t>(bits), key.step | static_cast<std::uint32_t>(key.purpose) << 24,
          key.epoch ^ 0x9E3779B9u * static_cast<std::uint32_t>(bits >> 32),
          static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)};
}

SCOREACT_FUNCTION constexpr Philox4 random_words(const RowCounter& row, std::uint32_t block) {
  return philox4x32_10({block, row.sample, row.step_purpose, row.epoch}, row.key0, row.key1);
}

SCOREACT_FUNCTION inline std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
SCOREACT_FUNCTION inline float float_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// sqrt(-2 log u), u = (word >> 1) / 2^31 + 2^-32 in (0, 1], rounded to float32. The logarithm is the
/// polynomial of Cephes (Moshier), good to one unit in the last place on normal numbers.
SCOREACT_FUNCTION inline float radius(std::uint32_t word) {
  const float u = static_cast<float>(static_cast<std::int32_t>(word >> 1)) * 0x1p-31f + 0x1p-32f;
  const std::uint32_t shifted =
      bits_of(u) + (0x3f800000u - 0x3f3504f3u); // mantissa into [sqrt(1/2), sqrt(2))
  const float exponent = static_cast<float>(static_cast<std::int32_t>(shifted >> 23) - 127);
  const float f = float_of((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float square = f * f;
  float log_u = p * f * square - 2.12194440e-4f * exponent;
  log_u = log_u - 0.5f * square + f + 0.693359375f * exponent;
  const float squared_radius = -2.0f * log_u;
  return std::sqrt(squared_radius > 0.0f ? squared_radius : 0.0f);
}

/// sine and cosine of 2 pi times the turn word / 2^32 (as a signed number, rounded to float32). The quadrant
/// is taken off exactly; the rest, at most 1/8 turn, goes through Taylor's polynomials with the powers of 2
/// pi folded in.
SCOREACT_FUNCTION inline void sine_cosine(std::uint32_t word, float& sine, float& cosine) {
  const float turn = static_cast<float>(static_cast<std::int32_t>(word)) * 0x1p-32f;
  const float shift = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = turn * 4.0f + shift;
  const std::uint32_t quadrant = bits_of(shifted);
  const float f = turn - (shifted - shift) * 0.25f;
  const float x = f * 6.2831853071795865f;
  const float y = x * x;
  const float s = x + x * y * (-1.6666654611e-1f + y * (8.3321608736e-3f - 1.9515295891e-4f * y));
  const float c = 1.0f - 0.5f * y +
                  y * y * (4.166664568298827e-2f + y * (-1.388731625493765e-3f + 2.443315711809948e-5f * y));
  const bool swapped = (quadrant & 1u) != 0;
  const float first = swapped ? c : s;
  const float second = swapped ? s : c;
  sine = float_of(bits_of(first) ^ ((quadrant & 2u) << 30));
  cosine = float_of(bits_of(second) ^ (((quadrant + 1u) & 2u) << 30));
}

/// Words to four normal numbers (Box, Muller 1958).
struct Normal {
  SCOREACT_FUNCTION static void convert(const Philox4& words, float* out) {
    const float r0 = radius(words.word0), r1 = radius(words.word2);
    float s0, c0, s1, c1;
    sine_cosine(words.word1, s0, c0);
    sine_cosine(words.word3, s1, c1);
    out[0] = r0 * c0;
    out[1] = r0 * s0;
    out[2] = r1 * c1;
    out[3] = r1 * s1;
  }
};

/// Words to four uniform numbers in [0, 1).
struct Uniform {
  SCOREACT_FUNCTION static float convert(std::uint32_t word) {
    return static_cast<float>(static_cast<std::int32_t>(word >> 8)) * 0x1p-24f;
  }
  SCOREACT_FUNCTION static void convert(const Philox4& words, float* out) {
    out[0] = convert(words.word0);
    out[1] = convert(words.word1);
    out[2] = convert(words.word2);
    out[3] = convert(words.word3);
  }
};

/// Elements of a block of noise.
template <class Exec> inline constexpr int noise_width = on_host<Exec> ? 64 : 4;

/// out[0 .. width) = elements block * width .. of the row. Not inlined on the host: every kernel must run the
/// very same instructions, or a multiplication contracted here and not there would change the last bit.
template <class Distribution, int width>
#if defined(__CUDACC__)
SCOREACT_FUNCTION
#else
[[gnu::noinline]]
#endif
    void
    noise_block(const RowCounter& row, std::uint32_t block, float* out) {
  constexpr int counters = width / 4;
  for (int i = 0; i < counters; ++i) {
    Distribution::convert(random_words(row, block * counters + static_cast<std::uint32_t>(i)), out + 4 * i);
  }
}

/// One work item a block of one row.
template <class Distribution, class Exec, class Out>
void fill_noise(const Exec& exec, const char* label, NoiseKey key, std::int64_t first_sample, Out out) {
  constexpr int width = noise_width<Exec>;
  const long elements = static_cast<long>(out.extent(1));
  const long blocks = (elements + width - 1) / width;
  Kokkos::parallel_for(
      label, Kokkos::RangePolicy<Exec>(exec, 0, static_cast<long>(out.extent(0)) * blocks),
      KOKKOS_LAMBDA(const long item) {
        const long row = item / blocks, block = item % blocks;
        const RowCounter counter = row_counter(key, first_sample + row);
        const long begin = block * width;
        float* target = &out(row, begin);
        if (begin + width <= elements) {
          noise_block<Distribution, width>(counter, static_cast<std::uint32_t>(block), target);
        } else {
          float values[width];
          noise_block<Distribution, width>(counter, static_cast<std::uint32_t>(block), values);
          for (long i = 0; i < elements - begin; ++i) {
            target[i] = values[i];
          }
        }
      });
}

} // namespace scoreact::kernels::detail
