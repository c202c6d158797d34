#pragma once
/// silu(group_norm(x + shift)) as one differentiable function: on the host the fused kernel
/// (kernels/group_norm_silu.hpp), which reads and writes memory once and keeps only x for the backward pass;
/// on a device, and for other dtypes, LibTorch's own operators.
#include <ATen/core/Tensor.h>

namespace scoreact {

/// @param x      [B, C, H, W], float32 for the fused kernel
/// @param shift  [B, C], added to every pixel before the norm; undefined for none
/// @param weight,bias [C];  `groups` divides C
/// @return [B, C, H, W], in memory in x's order (contiguous or channels_last). Differentiable once; throws
/// scoreact::Error if asked for a graph of the derivative.
at::Tensor group_norm_silu(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& weight,
                           const at::Tensor& bias, long groups, double epsilon);

} // namespace scoreact
