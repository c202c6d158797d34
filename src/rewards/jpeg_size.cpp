#include "rewards/jpeg_size.hpp"

#include "error/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#include <jpeglib.h>

namespace scoreact {
namespace {

/// libjpeg's default handler ends the program.
[[noreturn]] void throw_error(j_common_ptr info) {
  char text[JMSG_LENGTH_MAX];
  (*info->err->format_message)(info, text);
  throw Error(ExitCode::internal, std::string("libjpeg: ") + text);
}

/// Owns compressor and output buffer, so that a thrown error leaks nothing.
struct Compressor {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  unsigned char* buffer = nullptr;
  unsigned long size = 0;

  Compressor() {
    info.err = jpeg_std_error(&errors);
    errors.error_exit = throw_error;
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &buffer, &size);
  }
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
};

/// Bytes before the entropy-coded data: SOI, then marker segments with their lengths up to SOS.
std::size_t header_bytes(const unsigned char* file, std::size_t size) {
  constexpr unsigned char kStartOfScan = 0xDA;
  std::size_t at = 2;
  while (at + 4 <= size && file[at] == 0xFF) {
    const bool scan = file[at + 1] == kStartOfScan;
    at += 2 + static_cast<std::size_t>(file[at + 2] * 256 + file[at + 3]);
    if (scan)
      return at;
  }
  SCOREACT_FAIL(ExitCode::internal, "libjpeg wrote a file of {} bytes without a scan", size);
}

} // namespace

JpegSize jpeg_size(const std::uint8_t* pixels, long height, long width, long channels, int quality) {
  SCOREACT_REQUIRE(channels == 1 || channels == 3, ExitCode::internal, "JPEG has 1 or 3 channels, not {}",
                   channels);
  Compressor jpeg;
  jpeg.info.image_width = static_cast<JDIMENSION>(width);
  jpeg.info.image_height = static_cast<JDIMENSION>(height);
  jpeg.info.input_components = static_cast<int>(channels);
  jpeg.info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg.info); // 4:2:0
  jpeg_set_quality(&jpeg.info, quality, TRUE);
  jpeg_start_compress(&jpeg.info, TRUE);
  while (jpeg.info.next_scanline < jpeg.info.image_height) {
    // libjpeg's interface is not const-correct; it does not write here
    JSAMPROW row =
        const_cast<JSAMPROW>(pixels + static_cast<long>(jpeg.info.next_scanline) * width * channels);
    jpeg_write_scanlines(&jpeg.info, &row, 1);
  }
  jpeg_finish_compress(&jpeg.info);
  constexpr std::size_t kEndMarker = 2;
  return {jpeg.size, jpeg.size - header_bytes(jpeg.buffer, jpeg.size) - kEndMarker};
}

} // namespace scoreact
