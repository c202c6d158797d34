#include "data/picture_set.hpp"

#include "error/error.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

namespace scoreact {

namespace {

namespace fs = std::filesystem;

class PictureFiles : public PictureSet {
 public:
  explicit PictureFiles(std::vector<fs::path> paths) : paths_(std::move(paths)) {}
  long count() const override { return static_cast<long>(paths_.size()); }
  Picture picture(long index) const override { return read_picture(paths_[static_cast<std::size_t>(index)]); }

 private:
  std::vector<fs::path> paths_;
};

/// A record is a label byte and 3 x 32 x 32 pixel bytes, channel by channel.
class Cifar10Pictures : public PictureSet {
 public:
  explicit Cifar10Pictures(const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
      const auto bytes = static_cast<long>(fs::file_size(file));
      SCOREACT_REQUIRE(bytes > 0 && bytes % kRecord == 0, ExitCode::data,
                       "{}: expected records of {} bytes (CIFAR-10's binary form), found {} bytes",
                       file.string(), kRecord, bytes);
      batches_.push_back({file, bytes / kRecord});
      count_ += bytes / kRecord;
    }
  }
  long count() const override { return count_; }

  Picture picture(long index) const override {
    auto batch = batches_.begin();
    for (; index >= batch->count; ++batch)
      index -= batch->count;
    std::array<char, kRecord> record{};
    std::ifstream stream(batch->file, std::ios::binary);
    stream.seekg(index * kRecord);
    SCOREACT_REQUIRE(stream.read(record.data(), kRecord), ExitCode::io, "{}: cannot read record {}",
                     batch->file.string(), index);
    Picture picture{kSide, kSide, std::vector<std::uint8_t>(kRecord - 1)};
    constexpr std::size_t plane = kSide * kSide;
    for (std::size_t pixel = 0; pixel < plane; ++pixel)
      for (std::size_t channel = 0; channel < 3; ++channel)
        picture.pixels[3 * pixel + channel] = static_cast<std::uint8_t>(record[1 + channel * plane + pixel]);
    return picture;
  }

 private:
  static constexpr long kSide = 32, kRecord = 1 + 3 * kSide * kSide;
  struct Batch {
    fs::path file;
    long count;
  };
  std::vector<Batch> batches_;
  long count_ = 0;
};

/// Pictures in one dataset; a trajectory file has one more axis before them, the time.
class Hdf5Pictures : public PictureSet {
 public:
  explicit Hdf5Pictures(const fs::path& path) : path_(path), file_(open_hdf5(path)) {
    const Hdf5Values root(file_.id(), path_);
    const bool trajectories = root.read_text_attribute("format") == "scoreact-trajectories";
    const std::string name = trajectories ? "x" : "images";
    SCOREACT_REQUIRE(root.contains(name), ExitCode::data,
                     "{}: expected a dataset \"images\" (or a trajectory file), found {}", path_.string(),
                     fmt::join(root.datasets(), ", "));
    std::vector<std::int64_t> shape = root.shape(name);
    if (trajectories && shape.size() > 1) {
      start_.push_back(static_cast<hsize_t>(shape.front() - 1)); // the final states
      shape.erase(shape.begin());
    }
    const auto is_channels = [&](std::size_t axis) { return shape[axis] == 1 || shape[axis] == 3; };
    constexpr std::int64_t longest = 1 << 14; // a damaged header must not ask for all memory
    const bool sizes = std::all_of(shape.begin() + (shape.empty() ? 0 : 1), shape.end(),
                                   [](std::int64_t extent) { return extent > 0 && extent <= longest; });
    SCOREACT_REQUIRE(shape.size() == 4 && sizes && (is_channels(1) || is_channels(3)), ExitCode::data,
                     "{}: {}: expected pictures of 1 or 3 channels, found the shape [{}]", path_.string(),
                     name, fmt::join(shape, ", "));
    count_ = shape[0];
    channels_first_ = is_channels(1);
    channels_ = channels_first_ ? shape[1] : shape[3];
    height_ = channels_first_ ? shape[2] : shape[1];
    width_ = channels_first_ ? shape[3] : shape[2];
    extents_.assign(start_.size(), 1);
    extents_.insert(extents_.end(), {1, static_cast<hsize_t>(shape[1]), static_cast<hsize_t>(shape[2]),
                                     static_cast<hsize_t>(shape[3])});
    dataset_ =
        Hdf5Dataset(check_hdf5(H5Dopen2(file_.id(), name.c_str(), H5P_DEFAULT), path_, "open " + name));
    const Hdf5Type type(check_hdf5(H5Dget_type(dataset_.id()), path_, "read a type"));
    const H5T_class_t kind = H5Tget_class(type.id());
    SCOREACT_REQUIRE(kind == H5T_FLOAT || kind == H5T_INTEGER, ExitCode::data, "{}: {}: expected numbers",
                     path_.string(), name);
    bytes_ = kind == H5T_INTEGER;
  }

  long count() const override { return count_; }

  Picture picture(long index) const override {
    const std::vector<float> values = read(index);
    Picture picture{height_, width_,
                    std::vector<std::uint8_t>(static_cast<std::size_t>(3 * height_ * width_))};
    for (long pixel = 0; pixel < height_ * width_; ++pixel)
      for (long channel = 0; channel < 3; ++channel) {
        const long from = std::min(channel, channels_ - 1);
        const long at = channels_first_ ? from * height_ * width_ + pixel : pixel * channels_ + from;
        picture.pixels[static_cast<std::size_t>(3 * pixel + channel)] =
            as_byte(values[static_cast<std::size_t>(at)], index);
      }
    return picture;
  }

 private:
  std::vector<float> read(long index) const {
    std::vector<hsize_t> start = start_;
    start.push_back(static_cast<hsize_t>(index));
    start.resize(extents_.size(), 0);
    std::vector<float> values(static_cast<std::size_t>(channels_ * height_ * width_));
    const Hdf5Space space(check_hdf5(H5Dget_space(dataset_.id()), path_, "read a data space"));
    check_hdf5(
        H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, extents_.data(), nullptr),
        path_, "select a picture");
    const hsize_t numbers = values.size();
    const Hdf5Space memory(check_hdf5(H5Screate_simple(1, &numbers, nullptr), path_, "make a data space"));
    check_hdf5(H5Dread(dataset_.id(), H5T_NATIVE_FLOAT, memory.id(), space.id(), H5P_DEFAULT, values.data()),
               path_, "read a picture");
    return values;
  }

  std::uint8_t as_byte(float value, long index) const {
    SCOREACT_REQUIRE(std::isfinite(value) && (!bytes_ || (value >= 0 && value <= 255)), ExitCode::data,
                     "{}: picture {}: {} is no pixel; expected {}", path_.string(), index, value,
                     bytes_ ? "integers from 0 to 255" : "numbers from -1 to 1");
    return static_cast<std::uint8_t>(bytes_ ? value
                                            : std::nearbyint(std::clamp(value / 2 + 0.5f, 0.0f, 1.0f) * 255));
  }

  fs::path path_;
  Hdf5File file_;
  Hdf5Dataset dataset_;
  std::vector<hsize_t> start_, extents_; // of a picture; start_: of the axes before the picture's number
  long count_ = 0, channels_ = 0, height_ = 0, width_ = 0;
  bool channels_first_ = true, bytes_ = false;
};

/// Pictures that other programs would count and that we cannot read.
bool is_foreign_picture(const fs::path& path) {
  static const std::set<std::string> endings = {".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp"};
  return endings.count(path.extension().string()) > 0;
}

template <class Iterator> std::vector<fs::path> picture_files(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : Iterator(folder)) {
    if (!entry.is_regular_file())
      continue;
    SCOREACT_REQUIRE(!is_foreign_picture(entry.path()), ExitCode::data,
                     "{}: expected PNG or JPEG files in a folder of pictures; convert this one",
                     entry.path().string());
    if (is_picture_name(entry.path()))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> cifar10_batches(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("data_batch_") && name.ends_with(".bin"))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::unique_ptr<PictureSet> open_folder(const fs::path& folder) {
  if (fs::exists(folder / "samples.h5")) // beside it lies grid.png, which is no sample
    return std::make_unique<Hdf5Pictures>(folder / "samples.h5");
  if (const auto batches = cifar10_batches(folder); !batches.empty())
    return std::make_unique<Cifar10Pictures>(batches);
  std::vector<fs::path> paths = picture_files<fs::directory_iterator>(folder);
  if (paths.empty())
    paths = picture_files<fs::recursive_directory_iterator>(folder);
  SCOREACT_REQUIRE(!paths.empty(), ExitCode::missing_input,
                   "{}: expected pictures in this folder: PNG or JPEG files, samples.h5 or data_batch_*.bin",
                   folder.string());
  return std::make_unique<PictureFiles>(std::move(paths));
}

bool is_hdf5(const fs::path& path) {
  std::array<char, 8> start{};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  return std::string_view(start.data(), start.size()) == std::string_view("\x89HDF\r\n\x1a\n", 8);
}

} // namespace

std::unique_ptr<PictureSet> open_pictures(const std::string& where) {
  const fs::path path(where);
  SCOREACT_REQUIRE(fs::exists(path), ExitCode::missing_input, "{}: no such file or folder", where);
  if (fs::is_directory(path))
    return open_folder(path);
  if (path.extension() == ".bin")
    return std::make_unique<Cifar10Pictures>(std::vector<fs::path>{path});
  SCOREACT_REQUIRE(is_hdf5(path), ExitCode::data,
                   "{}: expected a folder of pictures, an HDF5 file or CIFAR-10's .bin, found something else",
                   where);
  return std::make_unique<Hdf5Pictures>(path);
}

} // namespace scoreact
