#pragma once
/// One picture from a PNG or JPEG file as 8-bit RGB: the bytes that Pillow's Image.open(file).convert("RGB")
/// gives. Transparency is dropped, gamma and colour profiles are left alone.
#include <cstdint>
#include <filesystem>
#include <vector>

namespace scoreact {

struct Picture {
  long height = 0, width = 0;
  std::vector<std::uint8_t> pixels; ///< [height, width, 3] in C order
};

/// Whether the name ends like a PNG or JPEG file's: .png, .jpg, .jpeg, in any case.
bool is_picture_name(const std::filesystem::path& path);

/// The format is told by the content. Throws Error{missing_input} if there is no such file, Error{data} for
/// other formats, damaged files, CMYK and 16-bit grey.
Picture read_picture(const std::filesystem::path& path);

} // namespace scoreact
