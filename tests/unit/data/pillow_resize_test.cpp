/// Resizing against Pillow, byte for byte (tests/golden/make_pillow_golden.py printed the table).
#include "data/pillow_resize.hpp"

#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

namespace scoreact {
namespace {

struct Resized {
  long height, width, channels, new_height, new_width;
  std::uint64_t bilinear, bicubic; ///< FNV-1a of Pillow 12's pixels
};

constexpr Resized pictures[] = {
    // clang-format off
    {512, 512, 3, 224, 224, 0x022203113a075ac5, 0xef0ae60425f58f3d},
    {768, 512, 3, 336, 224, 0x4d5209bd530fdc3c, 0x7501c47773b7a49c},
    {512, 771, 3, 224, 337, 0xac6e974025ebfe80, 0xe903b283da44d548},
    {64, 64, 3, 224, 224, 0x240f9e7af8feafed, 0xb027a085b8bd16ac},
    {64, 64, 1, 224, 224, 0x1d0f531d41a476d7, 0x2e545a68fdd7c278},
    {32, 32, 3, 299, 299, 0xaa942a65fd85dafc, 0xbaeff6e125c4b786},
    {32, 32, 1, 299, 299, 0xf2c363ca17c02d36, 0xd400983b87abd877},
    {100, 37, 3, 224, 83, 0x35f7dc8b31401932, 0x87d3a1477151453d},
    {100, 37, 1, 224, 83, 0x9a6965bbfbc3282b, 0xa1bbc531e87cdc8e},
    {37, 100, 3, 83, 224, 0x9e1a5f55a20b9297, 0xcb16356dc784d765},
    {37, 100, 1, 83, 224, 0x1af0d13e60b0c0c9, 0x5a57007348f63d34},
    {225, 223, 3, 224, 224, 0x7d7bcc40c5df540a, 0xdd27cf993acee207},
    {225, 223, 1, 224, 224, 0x7b254352fb89c2f4, 0x697c8e2bc63333e7},
    {224, 224, 3, 224, 224, 0xee4f15c2dd4548a2, 0xee4f15c2dd4548a2},
    {224, 224, 1, 224, 224, 0x074870a7d9bae250, 0x074870a7d9bae250},
    {224, 300, 3, 224, 150, 0x5f362004da94128f, 0x0c2d7af65d77780c},
    {224, 300, 1, 224, 150, 0xf052f7e8aecb618c, 0x53902d8f80ed8a71},
    {300, 224, 3, 150, 224, 0x702fb5f089114f5a, 0x539de385ed7b5d88},
    {300, 224, 1, 150, 224, 0x3ece31997ae80cf7, 0xd5e993c391968c09},
    {7, 5, 3, 3, 11, 0x548e737624e04d8e, 0x4168255707502dcd},
    {7, 5, 1, 3, 11, 0x854675c83c4512d5, 0x8b3410ccb62987d4},
    {1, 9, 3, 4, 4, 0x2c2d041abb4d8bfd, 0xf8ec51b6e73b4115},
    {1, 9, 1, 4, 4, 0xcf9a964260c2a7ed, 0x04ab237f525f300d},
    {9, 1, 3, 4, 4, 0xedbabf7255372a29, 0x144830e43c970e8d},
    {9, 1, 1, 4, 4, 0xf3a7a8ce1c8db3c1, 0x2307cdf046951a09},
    {1, 1, 3, 5, 3, 0x50cf0824103fdca0, 0x50cf0824103fdca0},
    {1, 1, 1, 5, 3, 0x8c3bdb40cf12deab, 0x8c3bdb40cf12deab},
    {40, 40, 3, 1, 1, 0x23b50e1ad9bb016f, 0x23b50e1ad9bb016f},
    {40, 40, 1, 1, 1, 0xaf643f4c860294c5, 0xaf643f4c860294c5},
    {3, 250, 3, 250, 3, 0x2a304c1ae2c3beba, 0x6e64c46f6aaaa549},
    {3, 250, 1, 250, 3, 0x2fcb478b605e418c, 0x96c2b217791838c3},
    // clang-format on
};

std::vector<std::uint8_t> noise(long count) {
  std::uint64_t state = 1;
  std::vector<std::uint8_t> bytes;
  for (long i = 0; i < count; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    bytes.push_back(static_cast<std::uint8_t>(state >> 56));
  }
  return bytes;
}

std::uint64_t digest(const std::vector<std::uint8_t>& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0xCBF29CE484222325},
                         [](auto value, auto byte) { return (value ^ byte) * 0x100000001B3ULL; });
}

TEST(PillowResize, EqualsPillowByteForByte) {
  for (const Resized& picture : pictures) {
    SCOPED_TRACE(fmt::format("{} x {} x {} to {} x {}", picture.height, picture.width, picture.channels,
                             picture.new_height, picture.new_width));
    const auto pixels = noise(picture.height * picture.width * picture.channels);
    const auto resized = [&](ResizeFilter filter) {
      return digest(pillow_resize(pixels.data(), picture.height, picture.width, picture.channels,
                                  picture.new_height, picture.new_width, filter));
    };
    EXPECT_EQ(resized(ResizeFilter::bilinear), picture.bilinear);
    EXPECT_EQ(resized(ResizeFilter::bicubic), picture.bicubic);
  }
}

TEST(PillowResize, KeepsAPictureOfTheSameSize) {
  const auto pixels = noise(4 * 6 * 3);
  EXPECT_EQ(pillow_resize(pixels.data(), 4, 6, 3, 4, 6, ResizeFilter::bicubic), pixels);
}

TEST(PillowResize, RefusesEmptyPictures) {
  const std::uint8_t pixel = 0;
  testing_store::expect_error(ExitCode::data, "cannot resize a picture of 1 x 1 x 1 to 0 x 4",
                              [&] { pillow_resize(&pixel, 1, 1, 1, 0, 4, ResizeFilter::bilinear); });
}

} // namespace
} // namespace scoreact
