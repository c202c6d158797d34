// Monte Carlo return with the running cost (paper eq. 18; docs/mathematics.md section 4):
//   G_k = R - sum_{j >= k} cost_j,  k = 0 .. K-1 along sampling.
#pragma once

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

/// @param cost [times, samples], already multiplied by the quadrature weight;  reward [samples], terminal
/// @param returns [times, samples], out; may be `cost` (updated in place)
/// Throws std::invalid_argument if shapes differ.
void returns_with_running_cost(Stream, Rows<const double> cost, Span<const double> reward,
                               Rows<double> returns);

} // namespace scoreact::kernels
