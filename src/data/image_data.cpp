#include "data/image_data.hpp"

#include "data/gzip_file.hpp"
#include "error/error.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>

namespace scoreact {
namespace {

ImageData empty_data(const DataOptions& options) {
  ImageData data;
  data.channels = options.channels;
  data.height = options.height;
  data.width = options.width;
  data.num_classes = options.num_classes;
  return data;
}

void add_label(ImageData& data, long label, const std::string& where) {
  SCOREACT_REQUIRE(label >= 0 && label < data.num_classes, ExitCode::data,
                   "{}: expected a label from 0 to {} (data.num_classes = {}), found {}", where,
                   data.num_classes - 1, data.num_classes, label);
  data.labels.push_back(label);
}

float to_unit_range(double value, const DataOptions& options, const std::string& where) {
  SCOREACT_REQUIRE(value >= 0 && value <= options.max_value, ExitCode::data,
                   "{}: expected pixel values from 0 to data.max_value = {}, found {}", where,
                   options.max_value, value);
  return static_cast<float>(2.0 * value / options.max_value - 1.0);
}

/// The next number of a csv line; leaves `line` behind its comma.
double take_number(std::string_view& line, const std::string& where) {
  const std::size_t comma = std::min(line.find(','), line.size());
  std::string_view field = line.substr(0, comma);
  while (!field.empty() && field.front() == ' ') {
    field.remove_prefix(1);
  }
  double value = 0;
  const auto [end, status] = std::from_chars(field.data(), field.data() + field.size(), value);
  SCOREACT_REQUIRE(status == std::errc() && end == field.data() + field.size() && !field.empty(),
                   ExitCode::data, "{}: expected a number, found \"{}\"", where, std::string(field));
  line.remove_prefix(std::min(comma + 1, line.size()));
  return value;
}

ImageData read_csv(const DataOptions& options) {
  ImageData data = empty_data(options);
  const std::string content = read_file_or_gzip(options.path);
  const long numbers = data.pixels_per_image() + 1;
  long line_number = 0;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    std::string_view line(content.data() + begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.empty()) {
      continue;
    }
    const std::string where = fmt::format("{}:{}", options.path, line_number);
    const long found = std::count(line.begin(), line.end(), ',') + 1;
    SCOREACT_REQUIRE(found == numbers, ExitCode::data,
                     "{}: expected {} numbers ({} x {} x {} pixels and a label), found {}", where, numbers,
                     data.channels, data.height, data.width, found);
    for (long i = 0; i + 1 < numbers; ++i) {
      data.pixels.push_back(to_unit_range(take_number(line, where), options, where));
    }
    const double label = take_number(line, where);
    SCOREACT_REQUIRE(std::abs(label) < 1e9 && label == std::floor(label), ExitCode::data,
                     "{}: expected a whole number as label, found {}", where, label);
    add_label(data, static_cast<long>(label), where);
  }
  return data;
}

/// A file in IDX format: magic (0, 0, type 8 = unsigned byte, axes), big-endian extents, bytes.
struct Idx {
  std::vector<long> extents;
  std::string bytes;
};

Idx read_idx(const std::string& path, std::size_t axes) {
  const std::string content = read_file_or_gzip(path);
  const auto byte = [&content](std::size_t i) {
    return static_cast<long>(static_cast<unsigned char>(content[i]));
  };
  const std::size_t header = 4 + 4 * axes;
  SCOREACT_REQUIRE(content.size() >= header && byte(0) == 0 && byte(1) == 0 && byte(2) == 8 &&
                       byte(3) == static_cast<long>(axes),
                   ExitCode::data, "{}: expected an IDX file of unsigned bytes with {} axes", path, axes);
  Idx idx;
  long total = 1;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const std::size_t at = 4 + 4 * axis;
    const long extent = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    idx.extents.push_back(extent);
    SCOREACT_REQUIRE(extent <= (1L << 40) / std::max(total, 1L), ExitCode::data, "{}: impossible extents",
                     path);
    total *= extent;
  }
  SCOREACT_REQUIRE(content.size() - header == static_cast<std::size_t>(total), ExitCode::data,
                   "{}: expected {} bytes of data by its header, found {}", path, total,
                   content.size() - header);
  idx.bytes = content.substr(header);
  return idx;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t found = text.rfind(from);
  return found == std::string::npos ? text : text.replace(found, from.size(), to);
}

ImageData read_idx_pair(const DataOptions& options) {
  ImageData data = empty_data(options);
  const std::filesystem::path path(options.path);
  const std::string label_name =
      replaced(replaced(path.filename().string(), "images", "labels"), "idx3", "idx1");
  SCOREACT_REQUIRE(label_name != path.filename().string(), ExitCode::data,
                   "{}: expected a file name with \"images\", as in train-images-idx3-ubyte.gz, so that the "
                   "labels' name is "
                   "known",
                   options.path);
  const std::string label_path = (path.parent_path() / label_name).string();
  const Idx images = read_idx(options.path, 3);
  const Idx labels = read_idx(label_path, 1);
  SCOREACT_REQUIRE(
      data.channels == 1 && images.extents[1] == data.height && images.extents[2] == data.width,
      ExitCode::data, "{}: expected images of {} x {} x {} (data.channels, height, width), found 1 x {} x {}",
      options.path, data.channels, data.height, data.width, images.extents[1], images.extents[2]);
  SCOREACT_REQUIRE(labels.extents[0] == images.extents[0], ExitCode::data, "{}: expected {} labels, found {}",
                   label_path, images.extents[0], labels.extents[0]);
  for (const char pixel : images.bytes) {
    data.pixels.push_back(to_unit_range(static_cast<unsigned char>(pixel), options, options.path));
  }
  for (const char label : labels.bytes) {
    add_label(data, static_cast<unsigned char>(label), label_path);
  }
  return data;
}

/// A record is a label byte and 3 x 32 x 32 pixel bytes.
void append_cifar10(ImageData& data, const DataOptions& options, const std::string& path) {
  const std::string content = read_file_or_gzip(path);
  const std::size_t record = static_cast<std::size_t>(data.pixels_per_image()) + 1;
  SCOREACT_REQUIRE(!content.empty() && content.size() % record == 0, ExitCode::data,
                   "{}: expected records of {} bytes, found {} bytes", path, record, content.size());
  for (std::size_t begin = 0; begin < content.size(); begin += record) {
    const std::string where = fmt::format("{}: record {}", path, begin / record);
    add_label(data, static_cast<unsigned char>(content[begin]), where);
    for (std::size_t i = 1; i < record; ++i) {
      data.pixels.push_back(to_unit_range(static_cast<unsigned char>(content[begin + i]), options, where));
    }
  }
}

ImageData read_cifar10(const DataOptions& options) {
  ImageData data = empty_data(options);
  SCOREACT_REQUIRE(
      data.channels == 3 && data.height == 32 && data.width == 32, ExitCode::data,
      "data.format = cifar10: images are 3 x 32 x 32; data.channels, height and width say {} x {} x {}",
      data.channels, data.height, data.width);
  if (!std::filesystem::is_directory(options.path)) {
    append_cifar10(data, options, options.path);
    return data;
  }
  std::vector<std::string> batches;
  for (const auto& entry : std::filesystem::directory_iterator(options.path)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("data_batch_") && name.ends_with(".bin")) {
      batches.push_back(entry.path().string());
    }
  }
  SCOREACT_REQUIRE(!batches.empty(), ExitCode::missing_input,
                   "{}: expected data_batch_*.bin files in this folder", options.path);
  std::sort(batches.begin(), batches.end());
  for (const std::string& batch : batches) {
    append_cifar10(data, options, batch);
  }
  return data;
}

} // namespace

ImageData read_images(const DataOptions& options) {
  SCOREACT_REQUIRE(!options.path.empty(), ExitCode::data, "data.path: expected a file of images");
  ImageData data;
  if (options.format == "csv") {
    data = read_csv(options);
  } else if (options.format == "idx") {
    data = read_idx_pair(options);
  } else if (options.format == "cifar10") {
    data = read_cifar10(options);
  } else {
    SCOREACT_FAIL(ExitCode::data, "data.format: expected csv, idx or cifar10, found \"{}\"", options.format);
  }
  SCOREACT_REQUIRE(data.count() > 0, ExitCode::data, "{}: no images in this file", options.path);
  return data;
}

} // namespace scoreact
