#include "data/image_data.hpp"

#include "error/error.hpp"
#include "support/source_folder.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;
using testing_support::source_path;

DataOptions digits() {
  DataOptions options;
  options.path = source_path("inputs/digits/data/digits.csv.gz");
  return options;
}

std::vector<long> counts(const ImageData& data) {
  std::vector<long> count(static_cast<std::size_t>(data.num_classes));
  for (const auto label : data.labels) {
    ++count[static_cast<std::size_t>(label)];
  }
  return count;
}

TEST(ReadImages, ReadsAllDigits) {
  const ImageData data = read_images(digits());
  EXPECT_EQ(data.count(), 1797);
  EXPECT_EQ(data.pixels.size(), 1797u * 64u);
  EXPECT_EQ(counts(data), (std::vector<long>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}));
  const auto [low, high] = std::minmax_element(data.pixels.begin(), data.pixels.end());
  EXPECT_EQ(*low, -1.0f);
  EXPECT_EQ(*high, 1.0f);
  EXPECT_EQ(data.labels[0], 0);
  EXPECT_FLOAT_EQ(data.pixels[2], 2 * 5 / 16.0f - 1); // the file begins 0,0,5
}

TEST(ReadImages, ReadsTheMnistSubset) {
  DataOptions options;
  options.path = source_path("inputs/mnist/data/mnist_5k.csv.gz");
  options.height = options.width = 28;
  options.max_value = 255;
  const ImageData data = read_images(options);
  EXPECT_EQ(data.count(), 5000);
  EXPECT_EQ(counts(data), std::vector<long>(10, 500));
  const auto [low, high] = std::minmax_element(data.pixels.begin(), data.pixels.end());
  EXPECT_EQ(*low, -1.0f);
  EXPECT_EQ(*high, 1.0f);
}

TEST(ReadImages, NamesLineAndFaultOfBadCsv) {
  const TemporaryFolder folder;
  DataOptions options;
  options.path = (folder / "images.csv").string();
  options.height = 1;
  options.width = 2;
  const auto reading = [&](const std::string& text) {
    put_bytes(options.path, text);
    return [&options] { read_images(options); };
  };
  reading("0,16,3\r\n\n8,8,9\n")();
  EXPECT_EQ(read_images(options).pixels, (std::vector<float>{-1, 1, 0, 0}));
  expect_error(ExitCode::data, ":2: expected 3 numbers", reading("0,16,3\n0,16\n"));
  expect_error(ExitCode::data, "found \"x\"", reading("0,x,3\n"));
  expect_error(ExitCode::data, "found \"\"", reading("0,,3\n"));
  expect_error(ExitCode::data, "from 0 to data.max_value = 16, found 17", reading("0,17,3\n"));
  expect_error(ExitCode::data, "label from 0 to 9", reading("0,16,10\n"));
  expect_error(ExitCode::data, "whole number", reading("0,16,1.5\n"));
  expect_error(ExitCode::data, "whole number", reading("0,16,1e300\n"));
  expect_error(ExitCode::data, "whole number", reading("0,16,nan\n"));
  expect_error(ExitCode::data, "no images", reading(""));
  options.path = (folder / "absent.csv").string();
  expect_error(ExitCode::missing_input, "no such file", [&] { read_images(options); });
  const std::string packed = testing_store::bytes_of(digits().path);
  options = digits();
  options.path = (folder / "cut.csv.gz").string();
  put_bytes(options.path, packed.substr(0, packed.size() / 2));
  expect_error(ExitCode::data, "damaged gzip", [&] { read_images(options); });
}

TEST(ReadImages, ReadsIdxPairsAndNoticesWhenTheyDisagree) {
  const TemporaryFolder folder;
  DataOptions options;
  options.format = "idx";
  options.path = (folder / "train-images-idx3-ubyte").string();
  options.height = 1;
  options.width = 3;
  options.max_value = 255;
  using namespace std::string_literals;
  const std::string images = "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03"s + "\x00\xff\x33\x00\x00\xff"s;
  const std::string labels = "\0\0\x08\x01\0\0\0\x02\x07\x02"s;
  put_bytes(options.path, images);
  put_bytes(folder / "train-labels-idx1-ubyte", labels);
  const ImageData data = read_images(options);
  EXPECT_EQ(data.labels, (std::vector<std::int64_t>{7, 2}));
  ASSERT_EQ(data.pixels.size(), 6u);
  EXPECT_FLOAT_EQ(data.pixels[2], 2 * 0x33 / 255.0f - 1);
  const auto reading = [&] { read_images(options); };
  put_bytes(options.path, images.substr(0, images.size() - 1));
  expect_error(ExitCode::data, "expected 6 bytes of data by its header, found 5", reading);
  put_bytes(options.path, labels);
  expect_error(ExitCode::data, "expected an IDX file of unsigned bytes with 3 axes", reading);
  put_bytes(options.path, images);
  put_bytes(folder / "train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x01\x07"s);
  expect_error(ExitCode::data, "expected 2 labels, found 1", reading);
  options.width = 4;
  expect_error(ExitCode::data, "expected images of 1 x 1 x 4", reading);
}

TEST(ReadImages, ReadsCifarBatchesInOrder) {
  const TemporaryFolder folder;
  DataOptions options;
  options.format = "cifar10";
  options.path = folder.path().string();
  options.channels = 3;
  options.height = options.width = 32;
  options.max_value = 255;
  std::string record(3073, '\0');
  record[0] = 4;
  record[3072] = static_cast<char>(255);
  put_bytes(folder / "data_batch_2.bin", record);
  record[0] = 6;
  put_bytes(folder / "data_batch_1.bin", record + record);
  const ImageData data = read_images(options);
  EXPECT_EQ(data.labels, (std::vector<std::int64_t>{6, 6, 4}));
  EXPECT_EQ(data.pixels[3070], -1.0f);
  EXPECT_EQ(data.pixels[3071], 1.0f);
  put_bytes(folder / "data_batch_2.bin", record + "x");
  expect_error(ExitCode::data, "expected records of 3073 bytes, found 3074 bytes",
               [&] { read_images(options); });
  options.height = 16;
  expect_error(ExitCode::data, "images are 3 x 32 x 32", [&] { read_images(options); });
}

TEST(SplitRows, HoldsOutTheSameRowsEveryTime) {
  const Split split = split_rows(1797, 0.2);
  EXPECT_EQ(split.test.size(), 359u);
  EXPECT_EQ(split.train.size(), 1438u);
  std::set<long> rows(split.train.begin(), split.train.end());
  rows.insert(split.test.begin(), split.test.end());
  EXPECT_EQ(rows.size(), 1797u);
  EXPECT_EQ(split_rows(1797, 0.2).test, split.test);
  // spread over the file, not a block of it
  EXPECT_LT(split.test.front(), 50);
  EXPECT_GT(split.test.back(), 1747);
}

TEST(NoisyLabels, ReplaceTheAskedShareByOtherClassesEvenly) {
  const std::vector<std::int64_t> labels(20000, 3);
  const auto noisy = noisy_labels(labels, 0.4, 10, 7);
  std::vector<double> count(10);
  for (const auto label : noisy) {
    count[static_cast<std::size_t>(label)] += 1;
  }
  EXPECT_NEAR(count[3], 12000, 5 * std::sqrt(20000 * 0.4 * 0.6));
  for (std::size_t other = 0; other < 10; ++other) {
    if (other != 3) {
      EXPECT_NEAR(count[other], 8000.0 / 9, 5 * std::sqrt(8000.0 / 9)) << other;
    }
  }
  EXPECT_EQ(noisy_labels(labels, 0.4, 10, 7), noisy);
  EXPECT_NE(noisy_labels(labels, 0.4, 10, 8), noisy);
  EXPECT_EQ(noisy_labels(labels, 0.0, 10, 7), labels);
}

} // namespace
} // namespace scoreact
