#pragma once
/// From pictures to the pixel_values that CLIP and ImageReward were trained on: shorter edge resized to S by
/// a bicubic filter, centre cut out, mean and deviation of CLIP's training pictures taken off.
#include <ATen/core/Tensor.h>

namespace scoreact {

/// The differentiable way: x [n, 3, H, W] fp32 in [-1, 1], clamped -> pixel_values [n, 3, size, size], on x's
/// device, with a graph. Filtered in fp32 with antialiasing, the same filter as Pillow's; without its
/// rounding to 8 bits (torchvision's Resize on tensors). Throws Error{data} for another shape.
at::Tensor clip_pixel_values(const at::Tensor& x, long size);

/// The way of the original programs, which load pictures from files: x is rounded to 8 bits and resized as
/// Pillow does it, bit by bit. Works on the host; no gradient. Same shapes.
at::Tensor clip_pixel_values_of_pictures(const at::Tensor& x, long size);

/// What rewards do: the differentiable way where a graph to x is to be recorded, else the original's.
at::Tensor clip_pixel_values_for(const at::Tensor& x, long size);

} // namespace scoreact
