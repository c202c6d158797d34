// Folders of captioned pictures, good and bad.
#include "data/image_folder.hpp"

#include "data/pillow_resize.hpp"
#include "store/png.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

/// A folder with a picture of 4 x 6 pixels, each byte another.
class CaptionFolder {
 public:
  CaptionFolder() {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      for (std::size_t i = 0; i < 24; ++i) {
        planes_.push_back(static_cast<std::uint8_t>(3 * (24 * channel + i)));
        interleaved_[3 * i + channel] = planes_.back();
      }
    }
    std::filesystem::create_directories(folder_ / "sub");
    write_png_grid(folder_ / "sub/a.png", interleaved_.data(), 1, 4, 6, 3, 1, 1);
  }
  void put(const std::string& name, const std::string& text) const { put_bytes(folder_ / name, text); }
  void metadata(const std::string& text) const { put("metadata.jsonl", text); }
  DataOptions options(const std::string& on_bad_item = "refuse") const {
    DataOptions options;
    options.path = folder_.path().string();
    options.format = "imagefolder";
    options.channels = 3;
    options.height = 4;
    options.width = 6;
    options.on_bad_item = on_bad_item;
    return options;
  }
  const std::vector<std::uint8_t>& planes() const { return planes_; }           ///< [3, 4, 6]
  const std::vector<std::uint8_t>& interleaved() const { return interleaved_; } ///< [4, 6, 3]

 private:
  TemporaryFolder folder_;
  std::vector<std::uint8_t> planes_, interleaved_ = std::vector<std::uint8_t>(72);
};

constexpr const char* good = R"({"file_name": "sub/a.png", "text": "a fox"})";

TEST(ImageFolder, GivesPixelsAndCaptionsInTheOrderOfTheLines) {
  const CaptionFolder folder;
  folder.metadata(std::string(good) + "\r\n\n" +
                  R"({"text": "a café", "name": "café", "file_name": "sub/a.png", "extra": [1, 2]})");
  const CaptionedPictures all = read_image_folder(folder.options());
  EXPECT_EQ(all.captions, (std::vector<std::string>{"a fox", "a café"}));
  EXPECT_EQ(all.names, (std::vector<std::string>{"a fox", "café"}));
  ASSERT_EQ(all.pixels.size(), 2 * folder.planes().size());
  EXPECT_EQ(std::vector<std::uint8_t>(all.pixels.begin(), all.pixels.begin() + 72), folder.planes());
  EXPECT_EQ(std::vector<std::uint8_t>(all.pixels.begin() + 72, all.pixels.end()), folder.planes());
  EXPECT_TRUE(all.skipped.empty());
}

TEST(ImageFolder, ScalesToCoverAndCutsTheCentre) {
  const CaptionFolder folder;
  folder.metadata(good);
  DataOptions options = folder.options();
  options.height = options.width = 2; // 4 x 6 becomes 2 x 3; of the columns 0 .. 2 the first two stay
  const CaptionedPictures all = read_image_folder(options);
  const auto scaled = pillow_resize(folder.interleaved().data(), 4, 6, 3, 2, 3, ResizeFilter::bicubic);
  ASSERT_EQ(all.pixels.size(), 12u);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t y = 0; y < 2; ++y) {
      for (std::size_t x = 0; x < 2; ++x) {
        EXPECT_EQ(all.pixels[4 * c + 2 * y + x], scaled[3 * (3 * y + x) + c]);
      }
    }
  }
}

struct BadLine {
  const char *line, *message;
};

class BadItem : public ::testing::TestWithParam<BadLine> {};

TEST_P(BadItem, IsNamedAndRefusedOrSkipped) {
  const CaptionFolder folder;
  folder.put("broken.png", "\x89PNG\r\n\x1a\nnothing more");
  folder.put("words.png", "these are words");
  folder.metadata(std::string(good) + "\n" + GetParam().line + "\n" + good);
  const auto refused = [&](const std::string& message) {
    expect_error(ExitCode::data, message, [&] { read_image_folder(folder.options()); });
  };
  refused("metadata.jsonl:2: ");
  refused(GetParam().message);
  const CaptionedPictures all = read_image_folder(folder.options("skip"));
  EXPECT_EQ(all.count(), 2);
  EXPECT_EQ(all.pixels.size(), 2 * folder.planes().size());
  ASSERT_EQ(all.skipped.size(), 1u);
  EXPECT_NE(all.skipped[0].find(GetParam().message), std::string::npos) << all.skipped[0];
  EXPECT_NE(all.skipped[0].find("metadata.jsonl:2: "), std::string::npos) << all.skipped[0];
}

INSTANTIATE_TEST_SUITE_P(
    Lines, BadItem,
    ::testing::Values(
        BadLine{R"({"file_name": "sub/a.png")", "metadata.jsonl:2: "},
        BadLine{"sub/a.png, a fox", "metadata.jsonl:2: "},
        BadLine{R"(["sub/a.png", "a fox"])", "expected a JSON object"},
        BadLine{R"({"file_name": "sub/a.png"})", "expected the key \"text\""},
        BadLine{R"({"text": "a fox"})", "expected the key \"file_name\""},
        BadLine{R"({"file_name": "sub/a.png", "text": 3})", "text: expected a text, found 3"},
        BadLine{R"({"file_name": "sub/a.png", "text": ""})", "text: expected a text, found \"\""},
        BadLine{R"({"file_name": "sub/a.png", "text": null})", "found null"},
        BadLine{R"({"file_name": "sub/a.png", "text": "x", "name": 1})", "name: expected a text"},
        BadLine{R"({"file_name": "sub/../../a.png", "text": "x"})", "within the folder"},
        BadLine{R"({"file_name": "/etc/a.png", "text": "x"})", "within the folder"},
        BadLine{R"({"file_name": "none.png", "text": "x"})", "none.png: cannot open"},
        BadLine{R"({"file_name": "sub", "text": "x"})", "sub: cannot open"},
        BadLine{R"({"file_name": "words.png", "text": "x"})", "expected a PNG or JPEG file"},
        BadLine{R"({"file_name": "broken.png", "text": "x"})", "damaged PNG file"}));

TEST(ImageFolder, SaysWhatIsMissing) {
  const CaptionFolder folder;
  expect_error(ExitCode::missing_input, "captions in metadata.jsonl",
               [&] { read_image_folder(folder.options()); });
  folder.metadata("");
  expect_error(ExitCode::data, "no picture that can be used", [&] { read_image_folder(folder.options()); });
  folder.metadata("{}\n[]\n");
  expect_error(ExitCode::data,
               "2 bad lines, the first: ", [&] { read_image_folder(folder.options("skip")); });
  DataOptions grey = folder.options();
  grey.channels = 1;
  expect_error(ExitCode::data, "read as RGB; data.channels says 1", [&] { read_image_folder(grey); });
}

} // namespace
} // namespace scoreact
