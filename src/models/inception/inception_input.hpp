#pragma once
/// What becomes of a picture before Inception sees it: scaled to 299 x 299 and to about [-1, 1]. The two
/// programs in use differ in both, and so do their distances.
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace scoreact {

enum class InputConvention {
  pytorch_fid,   ///< bilinear with half-pixel centres (no antialiasing), then 2 x - 1
  torch_fidelity ///< bilinear as TensorFlow 1 (no half pixel), then (x - 128) / 128; also the TTUR and EDM
                 ///< way
};

/// "pytorch-fid", "torch-fidelity"
const std::vector<std::string>& input_convention_names();
/// Throws Error{usage} for another name.
InputConvention input_convention(const std::string& name);

/// values [n, 3, h, w] fp32 in [0, 255] -> [n, 3, 299, 299] fp32
at::Tensor inception_input(const at::Tensor& values, InputConvention);

/// What pytorch-fid does inside its network: values [n, 3, h, w] fp32 in [0, 1] -> [n, 3, 299, 299] in [-1,
/// 1].
at::Tensor pytorch_fid_input(const at::Tensor& values);

/// Bilinear scaling as TensorFlow 1: source coordinate = target coordinate x (in / out) in fp32, the upper
/// neighbour clamped, rows first. x [n, c, h, w] fp32 -> [n, c, height, width].
at::Tensor resize_like_tensorflow1(const at::Tensor& x, long height, long width);

} // namespace scoreact
