#pragma once
/// Size of an image as a JPEG file: quality 95, 4:2:0, no optimised tables, the same bytes that Pillow writes
/// (ddpo-pytorch's jpeg_compressibility).
#include <cstddef>
#include <cstdint>

namespace scoreact {

/// Bytes of the file. `pixels` [height, width, channels] in C order, channels 1 (grey) or 3 (RGB).
/// Throws Error{internal} if libjpeg fails.
std::size_t jpeg_bytes(const std::uint8_t* pixels, long height, long width, long channels, int quality = 95);

} // namespace scoreact
