// One sampler step with its noise fused in (docs/mathematics.md sections 2 and 3):
//   action = mean + action_std eps,   next = keep state + push action + carry carried + spread z,
//   log_prob = log N(action | mean, action_std^2 I)  summed over elements.
// eps and z are the numbers that normal_noise gives for action_key and brownian_key; neither is generated
// when its factor is 0.
#pragma once

#include <cstdint>

#include "kernels/normal_noise.hpp"
#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

struct StepCoefficients {
  double keep = 1;
  double push = 0;
  double carry = 0;      ///< multiplies `carried` (multistep solvers)
  double spread = 0;     ///< standard deviation of the step's own noise
  double action_std = 0; ///< s_a; 0: action = mean, log_prob = 0
};

/// @param state, mean  [samples, elements]
/// @param carried      [samples, elements]; not read (data may be nullptr) if carry == 0
/// @param action, next [samples, elements], out; `next` may be `state` (updated in place), but `action` may
///                     not be `mean`
/// @param log_prob     [samples], out, nats; that of the stored (float32) action
/// Throws std::invalid_argument if shapes differ.
void sampler_step(Stream, NoiseKey action_key, NoiseKey brownian_key, std::int64_t first_sample,
                  const StepCoefficients&, Rows<const float> state, Rows<const float> mean,
                  Rows<const float> carried, Rows<float> action, Rows<float> next, Span<double> log_prob);

} // namespace scoreact::kernels
