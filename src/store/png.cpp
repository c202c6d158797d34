#include "store/png.hpp"

#include <png.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "error/error.hpp"
#include "store/atomic_file.hpp"

namespace scoreact {

void write_png_grid(const std::filesystem::path& path, const std::uint8_t* pixels, long count, long height,
                    long width, long channels, long columns, long scale) {
  SCOREACT_REQUIRE(count > 0 && height > 0 && width > 0 && columns > 0 && scale > 0 &&
                       (channels == 1 || channels == 3),
                   ExitCode::internal, "{}: cannot draw {} pictures of {} x {} x {} in {} columns, scale {}",
                   path.string(), count, height, width, channels, columns, scale);
  const long across = std::min(columns, count);
  const long down = (count + across - 1) / across;
  const long grid_width = across * (width * scale + 1) - 1; // one line between pictures
  const long grid_height = down * (height * scale + 1) - 1;
  std::vector<std::uint8_t> grid(static_cast<std::size_t>(grid_width * grid_height * channels), 0);
  for (long n = 0; n < count; ++n) {
    const long top = n / across * (height * scale + 1);
    const long left = n % across * (width * scale + 1);
    for (long y = 0; y < height * scale; ++y) {
      for (long x = 0; x < width * scale; ++x) {
        const std::uint8_t* from = pixels + ((n * height + y / scale) * width + x / scale) * channels;
        std::copy_n(from, channels, grid.data() + ((top + y) * grid_width + left + x) * channels);
      }
    }
  }

  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(grid_width);
  image.height = static_cast<png_uint_32>(grid_height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<std::byte> bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = bytes.size();
  const int written = png_image_write_to_memory(&image, bytes.data(), &size, 0, grid.data(), 0, nullptr);
  SCOREACT_REQUIRE(written != 0, ExitCode::internal, "{}: cannot encode the picture: {}", path.string(),
                   image.message);
  write_atomically(path, std::span<const std::byte>(bytes).first(size));
}

} // namespace scoreact
