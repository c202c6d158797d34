#include "models/inception/inception_input.hpp"

#include "error/error.hpp"
#include "models/inception/inception_fid.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

namespace scoreact {

namespace {

/// Neighbours of each target pixel along one axis, and the share of the upper one.
struct Neighbours {
  at::Tensor lower, upper, share;
};

Neighbours neighbours(long in, long out, const at::TensorOptions& options) {
  const auto scale = static_cast<float>(static_cast<double>(in) / static_cast<double>(out));
  const at::Tensor source = at::arange(out, options) * scale;
  const at::Tensor lower = source.to(at::kLong);
  return {lower, (lower + 1).clamp_max(in - 1), source - lower.to(at::kFloat)};
}

} // namespace

const std::vector<std::string>& input_convention_names() {
  static const std::vector<std::string> names = {"pytorch-fid", "torch-fidelity"};
  return names;
}

InputConvention input_convention(const std::string& name) {
  const auto& names = input_convention_names();
  SCOREACT_REQUIRE(name == names[0] || name == names[1], ExitCode::usage,
                   "--input-convention: expected one of {}, found \"{}\"", fmt::join(names, ", "), name);
  return name == names[0] ? InputConvention::pytorch_fid : InputConvention::torch_fidelity;
}

at::Tensor resize_like_tensorflow1(const at::Tensor& x, long height, long width) {
  const auto [left, right, across] = neighbours(x.size(3), width, x.options());
  const auto [top, bottom, down] = neighbours(x.size(2), height, x.options());
  // along the rows of the source picture first: each is needed by several rows of the target
  const at::Tensor at_left = x.index_select(3, left);
  const at::Tensor rows = at_left + (x.index_select(3, right) - at_left) * across;
  const at::Tensor at_top = rows.index_select(2, top);
  return at_top + (rows.index_select(2, bottom) - at_top) * down.view({-1, 1});
}

at::Tensor pytorch_fid_input(const at::Tensor& values) {
  constexpr long size = InceptionFid::kSize;
  return 2 * at::upsample_bilinear2d(values, {size, size}, /*align_corners=*/false) - 1;
}

at::Tensor inception_input(const at::Tensor& values, InputConvention convention) {
  constexpr long size = InceptionFid::kSize;
  if (convention == InputConvention::torch_fidelity)
    return (resize_like_tensorflow1(values, size, size) - 128) / 128;
  return pytorch_fid_input(values / 255);
}

} // namespace scoreact
