// AdamW (Loshchilov, Hutter 2019; the arithmetic of torch.optim.AdamW) with clipping by the global norm and
// an exponential moving average of the parameters, in one pass over flat arrays:
//   g = scale gradient min(1, max_grad_norm / (|scale gradient| + 1e-6))
//   p = p (1 - lr wd);  m = m + (1 - b1)(g - m);  v = b2 v + (1 - b2) g^2
//   p = p - lr / (1 - b1^t) m / ( sqrt(v / (1 - b2^t)) + eps );   ema = ema + (1 - decay)(p - ema)
#pragma once

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

struct AdamWStep {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  long step = 1;             ///< t: 1 at the first update
  double gradient_scale = 1; ///< multiplies the gradient before its norm is taken (1/microbatches, ...)
  double max_grad_norm = 0;  ///< 0: no clipping
  double ema_decay = 0;      ///< not used without an EMA array
};

/// *out = sum of squares of values, accumulated in float64; out lies in the memory of the stream. The order
/// of additions depends on the size only (with an OpenMP Kokkos: also on the number of threads).
void squared_norm(Stream, Span<const float> values, double* out);

/// @param gradient_squared_norm  squared norm of the unscaled gradient over all ranks and parameter groups,
///        in the memory of the stream; not read (may be nullptr) if max_grad_norm == 0
/// @param parameter, first, second, ema [n], updated;  gradient [n];  ema.data == nullptr: no EMA
/// Throws std::invalid_argument if sizes differ, or step < 1.
void adamw_ema(Stream, AdamWStep, const double* gradient_squared_norm, Span<float> parameter,
               Span<const float> gradient, Span<float> first, Span<float> second, Span<float> ema);

} // namespace scoreact::kernels
