#pragma once
/// Size of an image as a JPEG file: quality 95, 4:2:0, no optimised tables, the same bytes that Pillow writes
/// (ddpo-pytorch's jpeg_compressibility).
#include <cstddef>
#include <cstdint>

namespace scoreact {

struct JpegSize {
  std::size_t file; ///< bytes of the file
  std::size_t scan; ///< of these the coded picture alone: no header, tables or end marker (ITU T.81, annex B)
};

/// `pixels` [height, width, channels] in C order, channels 1 (grey) or 3 (RGB). Throws Error{internal} if
/// libjpeg fails.
JpegSize jpeg_size(const std::uint8_t* pixels, long height, long width, long channels, int quality = 95);

} // namespace scoreact
