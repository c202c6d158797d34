// Group normalisation of a shifted input, then SiLU: the pair that every residual block of a diffusion
// network applies twice (Wu & He 2018, arXiv:1803.08494; Elfwing et al. 2017, arXiv:1702.03118):
//   u = x + shift_c,  n = (u - mean_g) / sqrt(var_g + eps),  z = weight_c n + bias_c,  y = z / (1 + exp(-z)),
// with mean and (biased) variance over a group's channels and pixels of one row. The shift is the projected
// time embedding. One pass over memory instead of four, and only x is kept for the backward pass.
#pragma once

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

/// x is [rows, channels, pixels] in C order, or [rows, pixels, channels] if channels_last; groups divides
/// channels.
struct GroupNormShape {
  long rows = 0, channels = 0, pixels = 0, groups = 0;
  bool channels_last = false;
};

/// What forward and backward read. shift [rows, channels], or an empty view for none; weight and bias
/// [channels].
struct GroupNormInput {
  GroupNormShape shape;
  float epsilon = 1e-5F;
  Rows<const float> x;     ///< [rows, channels * pixels]; y, dy and dx have its order
  Rows<const float> shift; ///< [rows, channels] or data == nullptr
  Span<const float> weight, bias;
};

/// @param y     [rows, channels * pixels], out; not x
/// @param mean  [rows, groups], out: of the shifted input
/// @param scale [rows, groups], out: 1 / sqrt(var + epsilon)
/// Throws std::invalid_argument if extents differ from the shape.
void group_norm_silu(Stream, const GroupNormInput&, Rows<float> y, Rows<float> mean, Rows<float> scale);

/// The vector-Jacobian product; mean and scale are those of the forward pass.
/// @param dy           [rows, channels * pixels]
/// @param dx           [rows, channels * pixels], out; not dy
/// @param dshift       [rows, channels], out, or data == nullptr
/// @param dweight_rows [rows, channels], out: each row's part; the sum over rows is the derivative
/// @param dbias_rows   [rows, channels], out: likewise
void group_norm_silu_backward(Stream, const GroupNormInput&, Rows<const float> mean, Rows<const float> scale,
                              Rows<const float> dy, Rows<float> dx, Rows<float> dshift,
                              Rows<float> dweight_rows, Rows<float> dbias_rows);

} // namespace scoreact::kernels
