#include "data/picture_set.hpp"

#include "store/atomic_file.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"
#include "support/source_folder.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;
using testing_support::source_path;

void copy_picture(const std::string& name, const std::filesystem::path& to) {
  std::filesystem::create_directories(to.parent_path());
  std::filesystem::copy_file(source_path("tests/data/pictures/" + name), to);
}

template <class T>
void write_images(const std::filesystem::path& path, const std::string& name,
                  const std::vector<std::int64_t>& shape, DType dtype, const std::vector<T>& values,
                  const std::string& format = "") {
  write_atomically(path, build_hdf5_image(path, [&](hid_t file) {
                     const Hdf5Values root(file, path);
                     if (!format.empty())
                       root.write_attribute("format", format);
                     root.write_dataset(name, {dtype, shape, values.data()});
                   }));
}

std::vector<int> pixels(const PictureSet& set, long index) {
  const Picture picture = set.picture(index);
  return {picture.pixels.begin(), picture.pixels.end()};
}

TEST(OpenPictures, TakesTheFilesOfAFolderInTheOrderOfTheirNames) {
  const TemporaryFolder folder;
  copy_picture("deep.png", folder / "b.PNG");
  copy_picture("rgb.png", folder / "a.png");
  copy_picture("full.jpg", folder / "c.jpeg");
  copy_picture("rgb.png", folder / "below/d.png");
  put_bytes(folder / "notes.txt", "not a picture");
  const auto set = open_pictures(folder.path().string());
  ASSERT_EQ(set->count(), 3);
  EXPECT_EQ(set->picture(0).width, 22);
  EXPECT_EQ(set->picture(1).width, 6);
}

TEST(OpenPictures, LooksBelowAFolderThatHasNoneOfItsOwn) {
  const TemporaryFolder folder;
  copy_picture("rgb.png", folder / "cats/a.png");
  copy_picture("full.jpg", folder / "dogs/b.jpg");
  EXPECT_EQ(open_pictures(folder.path().string())->count(), 2);
}

TEST(OpenPictures, RefusesAFolderWithoutPicturesAndFormatsThatOthersWouldCount) {
  const TemporaryFolder folder;
  expect_error(ExitCode::missing_input, "expected pictures", [&] { open_pictures(folder.path().string()); });
  copy_picture("rgb.png", folder / "a.png");
  put_bytes(folder / "b.webp", "RIFF");
  expect_error(ExitCode::data, "b.webp", [&] { open_pictures(folder.path().string()); });
  expect_error(ExitCode::missing_input, "nowhere", [] { open_pictures("nowhere"); });
  expect_error(ExitCode::data, "notes.txt", [&] {
    put_bytes(folder / "notes.txt", "not a picture");
    open_pictures((folder / "notes.txt").string());
  });
}

TEST(OpenPictures, RoundsFloatingPointSamplesTo8Bits) {
  const TemporaryFolder folder;
  // two grey pictures of 1 x 2 pixels
  write_images<float>(folder / "samples.h5", "images", {2, 1, 1, 2}, DType::f32, {-1, 1, 0.25f, -3});
  copy_picture("rgb.png", folder / "grid.png");
  const auto set = open_pictures(folder.path().string());
  ASSERT_EQ(set->count(), 2);
  EXPECT_EQ(pixels(*set, 0), (std::vector<int>{0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(pixels(*set, 1), (std::vector<int>{159, 159, 159, 0, 0, 0})); // 255 x 0.625 = 159.4
}

TEST(OpenPictures, ReadsBytesWithTheChannelsFirstOrLast) {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> values;
  for (int i = 0; i < 2 * 3 * 4 * 5; ++i)
    values.push_back(static_cast<std::uint8_t>(i));
  write_images(folder / "first.h5", "images", {2, 3, 4, 5}, DType::u8, values);
  write_images(folder / "last.h5", "images", {2, 4, 5, 3}, DType::u8, values);
  const auto first = open_pictures((folder / "first.h5").string()),
             last = open_pictures((folder / "last.h5").string());
  EXPECT_EQ(first->picture(1).height, 4);
  EXPECT_EQ(last->picture(1).width, 5);
  EXPECT_EQ(pixels(*first, 1)[3 * 7 + 2], 60 + 2 * 20 + 7);
  EXPECT_EQ(pixels(*last, 1)[3 * 7 + 2], 60 + 3 * 7 + 2);
}

TEST(OpenPictures, TakesTheFinalStatesOfATrajectoryFile) {
  const TemporaryFolder folder;
  // 3 times, 2 samples, 1 x 1 x 1
  write_images<float>(folder / "epoch.h5", "x", {3, 2, 1, 1, 1}, DType::f32, {9, 9, 9, 9, -1, 1},
                      "scoreact-trajectories");
  const auto set = open_pictures((folder / "epoch.h5").string());
  ASSERT_EQ(set->count(), 2);
  EXPECT_EQ(pixels(*set, 0).front(), 0);
  EXPECT_EQ(pixels(*set, 1).front(), 255);
}

TEST(OpenPictures, RefusesShapesAndNumbersThatAreNoPictures) {
  const TemporaryFolder folder;
  const auto refused = [&](const char* message, const std::vector<std::int64_t>& shape,
                           std::vector<float> values) {
    write_images<float>(folder / "x.h5", "images", shape, DType::f32, values);
    expect_error(ExitCode::data, message, [&] { open_pictures((folder / "x.h5").string())->picture(0); });
  };
  refused("channels", {1, 2, 2, 2}, std::vector<float>(8));
  refused("channels", {2, 4}, std::vector<float>(8));
  refused("is no pixel", {1, 1, 1, 1}, {std::numeric_limits<float>::quiet_NaN()});
}

TEST(OpenPictures, ReadsCifar10) {
  const TemporaryFolder folder;
  const auto record = [](int label, int red, int green, int blue) {
    std::string bytes(1, static_cast<char>(label));
    for (const int value : {red, green, blue})
      bytes += std::string(1024, static_cast<char>(value));
    bytes[1 + 33] = 7; // second row, second pixel, red
    return bytes;
  };
  put_bytes(folder / "data_batch_2.bin", record(1, 10, 20, 30));
  put_bytes(folder / "data_batch_1.bin", record(1, 1, 2, 3) + record(0, 250, 251, 252));
  put_bytes(folder / "test_batch.bin", record(1, 0, 0, 0));
  const auto set = open_pictures(folder.path().string());
  ASSERT_EQ(set->count(), 3);
  EXPECT_EQ(pixels(*set, 1)[0], 250);
  EXPECT_EQ(pixels(*set, 1)[2], 252);
  EXPECT_EQ(pixels(*set, 1)[3 * 33], 7);
  EXPECT_EQ(pixels(*set, 2)[1], 20);
  EXPECT_EQ(open_pictures((folder / "test_batch.bin").string())->count(), 1);
  put_bytes(folder / "data_batch_3.bin", "short");
  expect_error(ExitCode::data, "records of 3073 bytes", [&] { open_pictures(folder.path().string()); });
}

} // namespace
} // namespace scoreact
