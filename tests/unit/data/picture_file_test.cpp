// Pictures against what Pillow reads from the same files (tests/golden/make_pictures.py).
#include "data/picture_file.hpp"

#include "support/source_folder.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace scoreact {
namespace {

using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;
using testing_support::source_path;

std::filesystem::path picture(const std::string& name) { return source_path("tests/data/pictures/" + name); }

class PillowPicture : public testing::TestWithParam<const char*> {};

TEST_P(PillowPicture, HasTheBytesThatPillowReads) {
  const std::string expected = bytes_of(picture(GetParam() + std::string(".rgb")));
  ASSERT_GT(expected.size(), 8u);
  std::uint32_t height = 0, width = 0;
  std::memcpy(&height, expected.data(), 4);
  std::memcpy(&width, expected.data() + 4, 4);
  const Picture found = read_picture(picture(GetParam()));
  EXPECT_EQ(found.height, height);
  EXPECT_EQ(found.width, width);
  EXPECT_EQ(std::string(found.pixels.begin(), found.pixels.end()), expected.substr(8));
}

INSTANTIATE_TEST_SUITE_P(Formats, PillowPicture,
                         testing::Values("rgb.png", "grey.png", "rgba.png", "grey_alpha.png", "palette.png",
                                         "one_bit.png", "gamma.png", "deep.png", "subsampled.jpg", "full.jpg",
                                         "progressive.jpg", "grey.jpg"));

TEST(ReadPicture, RefusesWhatWouldNeedAGuess) {
  expect_error(ExitCode::data, "CMYK", [] { read_picture(picture("refused_cmyk.jpg")); });
  expect_error(ExitCode::data, "16-bit grey", [] { read_picture(picture("refused_deep_grey.png")); });
  expect_error(ExitCode::data, "expected a PNG or JPEG file", [] { read_picture(picture("rgb.png.rgb")); });
  expect_error(ExitCode::missing_input, "nothing.png", [] { read_picture("nothing.png"); });
}

TEST(ReadPicture, RefusesCutAndChangedFiles) {
  const TemporaryFolder folder;
  for (const char* name : {"rgb.png", "subsampled.jpg"}) {
    const std::string whole = bytes_of(picture(name));
    const auto copy = folder / name;
    for (const std::size_t size : {whole.size() / 2, whole.size() / 4, std::size_t{9}}) {
      put_bytes(copy, whole.substr(0, size));
      expect_error(ExitCode::data, "damaged", [&] { read_picture(copy); });
    }
  }
  std::string changed = bytes_of(picture("rgb.png"));
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 0x10);
  put_bytes(folder / "changed.png", changed);
  expect_error(ExitCode::data, "damaged PNG file", [&] { read_picture(folder / "changed.png"); });
}

TEST(ReadPicture, RefusesSizesBeyondMemoryBeforeTheLibraryAsksForIt) {
  const TemporaryFolder folder;
  std::string jpeg = bytes_of(picture("progressive.jpg"));
  const std::size_t frame = jpeg.find("\xFF\xC2"); // marker, length (2), bits a sample (1), height, width
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xFF\x00\xFF\x00", 4);
  put_bytes(folder / "large.jpg", jpeg);
  expect_error(ExitCode::data, "impossible picture of 65280 x 65280 pixels",
               [&] { read_picture(folder / "large.jpg"); });
}

} // namespace
} // namespace scoreact
