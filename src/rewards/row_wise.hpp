#pragma once
/// A function whose rows depend on their own row of x alone, few rows at a time.
#include <ATen/core/Tensor.h>

#include <functional>

namespace scoreact {

/// f of x's rows [first, first + n): [n]
using RowFunction = std::function<at::Tensor(const at::Tensor& rows, long first)>;

/// f(x) [rows], `together` rows in a call. When a gradient is recorded, it is taken in the forward pass,
/// where the graph of these rows is still small, and only multiplied in the backward pass: decoding hundreds
/// of latents with a graph would not fit. First derivatives with respect to x only.
at::Tensor row_wise(const at::Tensor& x, const RowFunction& f, long together);

} // namespace scoreact
