// Path KL between the fine-tuned and the pretrained process (Girsanov; paper eq. 16; docs/mathematics.md
// section 4): per row a density factor |mean - pretrained|^2, then its integral over the time grid.
// Accumulated in float64; a row's result does not depend on how many rows the call has.
#pragma once

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

/// @param mean, pretrained [samples, elements];  factor [samples];  density [samples], out, nats per
/// unit of weight. Throws std::invalid_argument if shapes differ.
void path_kl_density(Stream, Rows<const float> mean, Rows<const float> pretrained, Span<const double> factor,
                     Span<double> density);

/// integral_b = sum_k weight_kb density_kb, added in the order of k.
/// @param density, weight [times, samples];  integral [samples], out, nats
void path_kl_integral(Stream, Rows<const double> density, Rows<const double> weight, Span<double> integral);

} // namespace scoreact::kernels
