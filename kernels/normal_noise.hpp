// Standard normal and uniform noise as a pure function of (seed, epoch, step, purpose, global sample,
// element): Philox 4x32-10 and Box-Muller. Row r of an array is global sample first_sample + r, so a batch
// may be split over calls or ranks in any way and the numbers stay the same (docs/kernels.md, "Noise").
// Element e of a row is word e % 4 of the Philox block with key = seed and
//   counter = ( e / 4, sample (low 32 bits), step | purpose << 24,
//               epoch ^ 0x9E3779B9 * (sample >> 32) ).
#pragma once

#include <cstdint>

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

/// What the noise is for; part of the counter, so two purposes never share numbers.
enum class Purpose : std::uint32_t {
  initial_state,
  brownian,
  action,
  forward_noise,
  label,
  time,
  prompt,
  initialisation,
  augmentation,
  perturbation,
  reference
};

struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
  std::uint32_t step = 0; ///< below 2^24
  Purpose purpose = Purpose::initial_state;
};

/// noise [samples, elements], out: independent N(0, 1), |value| <= 6.67.
/// Throws std::invalid_argument if key.step >= 2^24.
void normal_noise(Stream, NoiseKey, std::int64_t first_sample, Rows<float> noise);

/// noise [samples, elements], out: independent uniforms in [0, 1), multiples of 2^-24.
/// Throws std::invalid_argument if key.step >= 2^24.
void uniform_noise(Stream, NoiseKey, std::int64_t first_sample, Rows<float> noise);

/// One uniform number in [0, 1), a multiple of 2^-32; uniform_noise holds the same number cut to 24 bits.
/// A plain host function, callable without a Runtime.
double uniform_at(NoiseKey, std::int64_t sample, std::uint32_t element);

/// One standard normal number, the value that normal_noise writes, computed in double precision from the same
/// bits. A plain host function: use it for a handful of numbers, normal_noise for arrays.
double normal_at(NoiseKey, std::int64_t sample, std::uint32_t element);

} // namespace scoreact::kernels
