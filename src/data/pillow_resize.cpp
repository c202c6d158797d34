#include "data/pillow_resize.hpp"

#include "error/error.hpp"

#include <algorithm>
#include <cmath>

namespace scoreact {
namespace {

constexpr int places = 22; // binary places of a weight: 32 bits less 8 of the pixel less 2 for overshoot

double triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) {
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  }
  return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

/// The input pixels first .. first + weights.size() - 1 that make one output pixel.
struct Window {
  long first;
  std::vector<std::int32_t> weights;
};

/// The windows along one axis. In double precision and in this order of operations, as the original, because
/// the last bit of a weight can decide how a pixel is rounded.
std::vector<Window> windows(long in, long out, ResizeFilter filter) {
  const bool bicubic = filter == ResizeFilter::bicubic;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double support = (bicubic ? 2.0 : 1.0) * stretch;
  const double shrink = 1.0 / stretch;
  std::vector<Window> all;
  std::vector<double> exact;
  for (long i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const long first = std::max(static_cast<long>(std::trunc(center - support + 0.5)), 0L);
    const long end = std::min(static_cast<long>(std::trunc(center + support + 0.5)), in);
    exact.clear();
    double sum = 0.0;
    for (long x = first; x < end; ++x) {
      const double at = (static_cast<double>(x) - center + 0.5) * shrink;
      exact.push_back(bicubic ? cubic(at) : triangle(at));
      sum += exact.back();
    }
    Window window{first, {}};
    for (double weight : exact) {
      weight = sum != 0.0 ? weight / sum : weight;
      window.weights.push_back(static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << places)));
    }
    all.push_back(std::move(window));
  }
  return all;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> places, 0, 255));
}

/// Resizes the middle axis of [outer, in, inner] to the windows' number.
std::vector<std::uint8_t> along_axis(const std::uint8_t* pixels, long outer, long in, long inner,
                                     const std::vector<Window>& axis) {
  const long out = static_cast<long>(axis.size());
  std::vector<std::uint8_t> result(static_cast<std::size_t>(outer * out * inner));
  std::vector<std::int32_t> sums(static_cast<std::size_t>(inner));
  for (long o = 0; o < outer; ++o) {
    for (long i = 0; i < out; ++i) {
      const Window& window = axis[static_cast<std::size_t>(i)];
      std::fill(sums.begin(), sums.end(), 1 << (places - 1)); // one half
      const std::uint8_t* source = pixels + (o * in + window.first) * inner;
      for (const std::int32_t weight : window.weights) {
        for (long k = 0; k < inner; ++k) {
          sums[static_cast<std::size_t>(k)] += source[k] * weight;
        }
        source += inner;
      }
      std::transform(sums.begin(), sums.end(), result.begin() + (o * out + i) * inner, rounded);
    }
  }
  return result;
}

} // namespace

std::vector<std::uint8_t> pillow_resize(const std::uint8_t* pixels, long height, long width, long channels,
                                        long out_height, long out_width, ResizeFilter filter) {
  SCOREACT_REQUIRE(height > 0 && width > 0 && channels > 0 && out_height > 0 && out_width > 0, ExitCode::data,
                   "cannot resize a picture of {} x {} x {} to {} x {}", height, width, channels, out_height,
                   out_width);
  std::vector<std::uint8_t> picture(pixels, pixels + height * width * channels);
  if (out_width != width) { // an axis that keeps its size is not filtered
    picture = along_axis(picture.data(), height, width, channels, windows(width, out_width, filter));
  }
  if (out_height != height) {
    picture =
        along_axis(picture.data(), 1, height, out_width * channels, windows(height, out_height, filter));
  }
  return picture;
}

} // namespace scoreact
