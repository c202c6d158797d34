#pragma once
/// Resizing of 8-bit pictures, byte for byte as Pillow's Image.resize does it (src/libImaging/Resample.c):
/// the filter is stretched when the picture shrinks, weights have 22 binary places, and pixels are rounded to
/// 8 bits between the horizontal pass and the vertical one, which follows. Reward models are trained on
/// pictures that were resized in this way, and tell the difference. (Pillow 13 does the vertical pass first
/// for some pictures; up to 12, and for square pictures in 13 too, it is as here.)
#include <cstdint>
#include <vector>

namespace scoreact {

enum class ResizeFilter {
  bilinear, ///< triangle, support 1
  bicubic   ///< Keys' cubic with a = -1/2, support 2
};

/// pixels [height, width, channels] -> [out_height, out_width, channels], C order.
/// Throws Error{data} unless every extent is at least 1.
std::vector<std::uint8_t> pillow_resize(const std::uint8_t* pixels, long height, long width, long channels,
                                        long out_height, long out_width, ResizeFilter filter);

} // namespace scoreact
