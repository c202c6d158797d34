#include "models/clip/clip_pixels.hpp"

#include "data/pillow_resize.hpp"
#include "error/error.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <array>
#include <cmath>
#include <cstring>

namespace scoreact {
namespace {

constexpr std::array<double, 3> channel_mean = {0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> channel_deviation = {0.26862954, 0.26130258, 0.27577711};

/// Extents after the shorter edge has become `size`, and where the centre begins (torchvision's rules: the
/// longer edge is cut to a whole number, the corner is rounded half to even).
struct Fit {
  long height, width, top, left;
};

Fit fit(long height, long width, long size) {
  const auto longer = [size](long longer_edge, long shorter_edge) {
    return static_cast<long>(static_cast<double>(size * longer_edge) / static_cast<double>(shorter_edge));
  };
  Fit to{size, size, 0, 0};
  (width <= height ? to.height : to.width) = width <= height ? longer(height, width) : longer(width, height);
  to.top = std::lrint(static_cast<double>(to.height - size) / 2.0);
  to.left = std::lrint(static_cast<double>(to.width - size) / 2.0);
  return to;
}

void require_pictures(const at::Tensor& x) {
  SCOREACT_REQUIRE(x.dim() == 4 && x.size(1) == 3 && x.size(2) > 0 && x.size(3) > 0, ExitCode::data,
                   "expected pictures [n, 3, height, width], found [{}]", fmt::join(x.sizes().vec(), ", "));
}

/// (x - mean) / deviation by channel, x in [0, 1].
at::Tensor normalised(const at::Tensor& x) {
  const auto channels = [&x](const std::array<double, 3>& values) {
    return torch::tensor({values[0], values[1], values[2]}, at::kFloat).to(x.device()).view({1, 3, 1, 1});
  };
  return (x - channels(channel_mean)) / channels(channel_deviation);
}

} // namespace

at::Tensor clip_pixel_values(const at::Tensor& x, long size) {
  require_pictures(x);
  at::Tensor pixels = (x / 2 + 0.5).clamp(0, 1);
  const Fit to = fit(x.size(2), x.size(3), size);
  if (to.height != x.size(2) || to.width != x.size(3)) {
    pixels = at::_upsample_bicubic2d_aa(pixels, {to.height, to.width}, /*align_corners=*/false);
  }
  return normalised(pixels.narrow(2, to.top, size).narrow(3, to.left, size));
}

at::Tensor clip_pixel_values_of_pictures(const at::Tensor& x, long size) {
  require_pictures(x);
  torch::NoGradGuard no_grad;
  const at::Tensor bytes =
      at::round((x / 2 + 0.5).clamp(0, 1) * 255).to(at::kCPU, at::kByte).permute({0, 2, 3, 1}).contiguous();
  const Fit to = fit(x.size(2), x.size(3), size);
  const at::Tensor resized = at::empty({x.size(0), to.height, to.width, 3}, bytes.options());
  for (long i = 0; i < x.size(0); ++i) {
    const auto picture = pillow_resize(bytes[i].const_data_ptr<std::uint8_t>(), x.size(2), x.size(3), 3,
                                       to.height, to.width, ResizeFilter::bicubic);
    std::memcpy(resized[i].data_ptr<std::uint8_t>(), picture.data(), picture.size());
  }
  const at::Tensor cut = resized.narrow(1, to.top, size).narrow(2, to.left, size).permute({0, 3, 1, 2});
  return normalised(cut.to(x.device()).to(at::kFloat) / 255).contiguous();
}

at::Tensor clip_pixel_values_for(const at::Tensor& x, long size) {
  const bool graph = at::GradMode::is_enabled() && x.requires_grad();
  return graph ? clip_pixel_values(x, size) : clip_pixel_values_of_pictures(x, size);
}

} // namespace scoreact
