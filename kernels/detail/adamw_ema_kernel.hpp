// AdamW with clipping and EMA in one pass over flat arrays, and the squared norm it clips by
// (kernels/adamw_ema.hpp).
#pragma once

#include <cmath>

#include "kernels/adamw_ema.hpp"
#include "kernels/detail/execution.hpp"

namespace scoreact::kernels::detail {

template <class Exec, class ConstVector, class Out>
void squared_norm(const Exec& exec, ConstVector values, Out out) {
  constexpr long width = flat_chunk<Exec>;
  const long n = static_cast<long>(values.extent(0));
  const float* data = values.data();
  Kokkos::parallel_reduce(
      "scoreact::squared_norm", range_of_chunks(exec, n, width),
      KOKKOS_LAMBDA(const long item, double& partial) {
        const float* own = data + item * width;
        const long count = n - item * width < width ? n - item * width : width;
        if constexpr (width == 1) {
          partial += static_cast<double>(own[0]) * own[0];
        } else {
          partial += lane_sum(count, [=](const long i) { return static_cast<double>(own[i]) * own[i]; });
        }
      },
      out);
}

/// The step's scalars, rounded once to the precision of the arrays.
struct AdamWScalars {
  float decay, beta1, beta2, step_size, inverse_root_correction2, epsilon, ema_rate;
};

inline AdamWScalars adamw_scalars(const AdamWStep& step) {
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  return {static_cast<float>(1 - step.learning_rate * step.weight_decay),
          static_cast<float>(step.beta1),
          static_cast<float>(step.beta2),
          static_cast<float>(step.learning_rate / correction1),
          static_cast<float>(1 / std::sqrt(correction2)),
          static_cast<float>(step.epsilon),
          static_cast<float>(1 - step.ema_decay)};
}

template <class Exec, class Array, class ConstArray, class Norm>
void adamw_ema(const Exec& exec, AdamWStep step, Norm gradient_squared_norm, Array parameter,
               ConstArray gradient, Array first, Array second, Array ema) {
  constexpr long width = flat_chunk<Exec>;
  const long n = static_cast<long>(parameter.extent(0));
  const AdamWScalars s = adamw_scalars(step);
  const float first_rate = static_cast<float>(1 - step.beta1),
              second_rate = static_cast<float>(1 - step.beta2);
  Kokkos::parallel_for(
      "scoreact::adamw_ema", range_of_chunks(exec, n, width), KOKKOS_LAMBDA(const long item) {
        const long begin = item * width;
        const long count = n - begin < width ? n - begin : width;
        double factor = step.gradient_scale;
        if (step.max_grad_norm > 0) {
          const double norm = std::fabs(step.gradient_scale) * std::sqrt(*gradient_squared_norm);
          const double limit = step.max_grad_norm / (norm + 1e-6);
          factor *= limit < 1 ? limit : 1.0;
        }
        const float scale = static_cast<float>(factor);
        float* KOKKOS_RESTRICT p = parameter.data() + begin;
        const float* KOKKOS_RESTRICT g = gradient.data() + begin;
        float* KOKKOS_RESTRICT m = first.data() + begin;
        float* KOKKOS_RESTRICT v = second.data() + begin;
        for (long i = 0; i < count; ++i) {
          const float slope = scale * g[i];
          const float mean = s.beta1 * m[i] + first_rate * slope;
          const float square = s.beta2 * v[i] + second_rate * slope * slope;
          m[i] = mean;
          v[i] = square;
          p[i] = s.decay * p[i] -
                 s.step_size * mean / (std::sqrt(square) * s.inverse_root_correction2 + s.epsilon);
        }
        if (ema.data() != nullptr) {
          float* KOKKOS_RESTRICT average = ema.data() + begin;
          for (long i = 0; i < count; ++i) {
            average[i] += s.ema_rate * (p[i] - average[i]);
          }
        }
      });
}

} // namespace scoreact::kernels::detail
