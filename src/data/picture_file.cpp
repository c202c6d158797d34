#include "data/picture_file.hpp"

#include "error/error.hpp"

#include <png.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <memory>
#include <string>

#include <jpeglib.h>

#include <jerror.h>

namespace scoreact {

namespace {

namespace fs = std::filesystem;

constexpr long kMostPixels = 1L << 28; // a damaged header must not ask for all memory

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Picture empty_picture(const fs::path& path, long height, long width) {
  SCOREACT_REQUIRE(height > 0 && width > 0 && height <= kMostPixels / width, ExitCode::data,
                   "{}: impossible picture of {} x {} pixels", path.string(), height, width);
  return {height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * height * width))};
}

[[noreturn]] void throw_png_error(png_structp png, png_const_charp message) {
  const auto* const path = static_cast<const fs::path*>(png_get_error_ptr(png));
  SCOREACT_FAIL(ExitCode::data, "{}: damaged PNG file: {}", path->string(), message);
}

void ignore_png_warning(png_structp, png_const_charp) {}

struct PngReader {
  png_structp png;
  png_infop info = nullptr;

  explicit PngReader(const fs::path& path)
      : png(png_create_read_struct(PNG_LIBPNG_VER_STRING, const_cast<fs::path*>(&path), throw_png_error,
                                   ignore_png_warning)) {
    info = png == nullptr ? nullptr : png_create_info_struct(png);
    SCOREACT_REQUIRE(info != nullptr, ExitCode::internal, "{}: libpng cannot start", path.string());
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
};

/// libpng's plain interface: the simplified one would apply the file's gamma.
Picture read_png(std::FILE* file, const fs::path& path) {
  PngReader reader(path);
  png_structp png = reader.png;
  png_init_io(png, file);
  png_read_info(png, reader.info);
  const png_byte colour = png_get_color_type(png, reader.info);
  SCOREACT_REQUIRE(png_get_bit_depth(png, reader.info) < 16 || (colour & PNG_COLOR_MASK_COLOR) != 0,
                   ExitCode::data, "{}: expected 8 bits a pixel, found 16-bit grey", path.string());
  png_set_strip_16(png); // the upper byte
  png_set_expand(png);   // palettes, and grey of 1, 2, 4 bits
  png_set_gray_to_rgb(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, reader.info);
  Picture picture = empty_picture(path, static_cast<long>(png_get_image_height(png, reader.info)),
                                  static_cast<long>(png_get_image_width(png, reader.info)));
  SCOREACT_REQUIRE(png_get_rowbytes(png, reader.info) == static_cast<std::size_t>(3 * picture.width),
                   ExitCode::internal, "{}: libpng gave no RGB", path.string());
  std::vector<png_bytep> rows;
  for (long y = 0; y < picture.height; ++y)
    rows.push_back(picture.pixels.data() + 3 * y * picture.width);
  png_read_image(png, rows.data());
  png_read_end(png, nullptr); // also the check sums of what follows
  return picture;
}

struct JpegReader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  const fs::path& path;

  explicit JpegReader(const fs::path& file) : path(file) {
    info.err = jpeg_std_error(&errors);
    errors.error_exit = fail; // libjpeg's own ends the program
    errors.emit_message = [](j_common_ptr common, int level) {
      // a warning: data is missing or damaged; bytes too many between markers are common and harm nothing
      if (level < 0 && common->err->msg_code != JWRN_EXTRANEOUS_DATA)
        fail(common);
    };
    info.client_data = this;
    jpeg_create_decompress(&info);
  }
  ~JpegReader() { jpeg_destroy_decompress(&info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

 private:
  [[noreturn]] static void fail(j_common_ptr common) {
    char text[JMSG_LENGTH_MAX];
    (*common->err->format_message)(common, text);
    SCOREACT_FAIL(ExitCode::data, "{}: damaged JPEG file: {}",
                  static_cast<const JpegReader*>(common->client_data)->path.string(), text);
  }
};

Picture read_jpeg(std::FILE* file, const fs::path& path) {
  JpegReader reader(path);
  jpeg_decompress_struct& info = reader.info;
  jpeg_stdio_src(&info, file);
  jpeg_read_header(&info, TRUE);
  SCOREACT_REQUIRE(info.num_components == 1 || info.num_components == 3, ExitCode::data,
                   "{}: expected a grey or RGB picture, found {} channels (CMYK?)", path.string(),
                   info.num_components);
  info.out_color_space = JCS_RGB;
  // before libjpeg starts, which for a progressive file asks for memory for all of it
  Picture picture =
      empty_picture(path, static_cast<long>(info.image_height), static_cast<long>(info.image_width));
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = picture.pixels.data() + 3 * static_cast<long>(info.output_scanline) * picture.width;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  return picture;
}

} // namespace

bool is_picture_name(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

Picture read_picture(const fs::path& path) {
  const File file(std::fopen(path.c_str(), "rb"), std::fclose);
  SCOREACT_REQUIRE(file != nullptr && fs::is_regular_file(path), ExitCode::missing_input,
                   "{}: cannot open this file", path.string());
  std::array<unsigned char, 8> start{};
  const std::size_t got = std::fread(start.data(), 1, start.size(), file.get());
  std::rewind(file.get());
  if (got == start.size() && png_sig_cmp(start.data(), 0, start.size()) == 0)
    return read_png(file.get(), path);
  SCOREACT_REQUIRE(got >= 3 && start[0] == 0xFF && start[1] == 0xD8 && start[2] == 0xFF, ExitCode::data,
                   "{}: expected a PNG or JPEG file", path.string());
  return read_jpeg(file.get(), path);
}

} // namespace scoreact
