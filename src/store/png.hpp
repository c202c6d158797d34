#pragma once
/// Grids of small pictures as one PNG file, for looking at: enlarged by nearest neighbour, so that pixels
/// stay pixels.
#include <cstdint>
#include <filesystem>

namespace scoreact {

/// Writes atomically. `pixels` is [count, height, width, channels] in C order, channels 1 (grey) or 3 (RGB),
/// filled row by row with `columns` pictures a row, one blank pixel line between pictures, every pixel
/// `scale` x `scale`. The same pixels give the same bytes. Throws Error{internal} for an impossible shape,
/// Error{io}.
void write_png_grid(const std::filesystem::path& path, const std::uint8_t* pixels, long count, long height,
                    long width, long channels, long columns, long scale);

} // namespace scoreact
