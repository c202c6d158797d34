#include "error/error.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"
#include "store/trajectory_file.hpp"

namespace scoreact {

namespace fs = std::filesystem;

struct TrajectoryFile::Content {
  explicit Content(const fs::path& file) : path(file), handle(open_hdf5(file)), values(handle.id(), file) {}
  fs::path path;
  Hdf5File handle;
  Hdf5Values values;
  Attributes attributes;
  std::int64_t steps = 0, samples = 0;
  std::vector<std::int64_t> sample_shape;

  template <class T> std::vector<T> row(const std::string& name, std::int64_t time, hid_t memory_type) const {
    const std::vector<std::int64_t> extents = values.shape(name);
    SCOREACT_REQUIRE(!extents.empty() && time >= 0 && time < extents[0], ExitCode::data,
                     "{}: '{}' has no time {}", path.string(), name, time);
    const Hdf5Dataset dataset(
        check_hdf5(H5Dopen2(handle.id(), name.c_str(), H5P_DEFAULT), path, "open '" + name + "'"));
    const Hdf5Space in_file(check_hdf5(H5Dget_space(dataset.id()), path, "read a data space"));
    std::vector<hsize_t> start(extents.size(), 0), size(extents.begin(), extents.end());
    start[0] = static_cast<hsize_t>(time);
    size[0] = 1;
    check_hdf5(H5Sselect_hyperslab(in_file.id(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr),
               path, "select a time");
    hsize_t count = 1;
    for (const hsize_t extent : size)
      count *= extent;
    const Hdf5Space in_memory(check_hdf5(H5Screate_simple(1, &count, nullptr), path, "make a data space"));
    std::vector<T> result(count);
    check_hdf5(H5Dread(dataset.id(), memory_type, in_memory.id(), in_file.id(), H5P_DEFAULT, result.data()),
               path, "read '" + name + "'");
    return result;
  }
};

TrajectoryFile::TrajectoryFile(const fs::path& path) : content_(std::make_unique<Content>(path)) {
  content_->attributes = content_->values.read_attributes();
  const std::string format = content_->values.read_text_attribute("format", "none");
  SCOREACT_REQUIRE(format == "scoreact-trajectories", ExitCode::data,
                   "{}: expected format 'scoreact-trajectories', found '{}'", path.string(), format);
  const std::vector<std::int64_t> shape = content_->values.shape("x");
  SCOREACT_REQUIRE(shape.size() >= 2 && shape[0] >= 1, ExitCode::data, "{}: 'x' is not [K+1, B, ...]",
                   path.string());
  content_->steps = shape[0] - 1;
  content_->samples = shape[1];
  content_->sample_shape.assign(shape.begin() + 2, shape.end());
}

TrajectoryFile::~TrajectoryFile() = default;
TrajectoryFile::TrajectoryFile(TrajectoryFile&&) noexcept = default;
TrajectoryFile& TrajectoryFile::operator=(TrajectoryFile&&) noexcept = default;

std::int64_t TrajectoryFile::steps() const { return content_->steps; }
std::int64_t TrajectoryFile::samples() const { return content_->samples; }
const std::vector<std::int64_t>& TrajectoryFile::sample_shape() const { return content_->sample_shape; }
const Attributes& TrajectoryFile::attributes() const { return content_->attributes; }
std::vector<std::string> TrajectoryFile::names() const { return content_->values.names(); }
bool TrajectoryFile::contains(const std::string& name) const { return content_->values.contains(name); }
std::vector<std::int64_t> TrajectoryFile::shape(const std::string& name) const {
  return content_->values.shape(name);
}

std::string TrajectoryFile::units(const std::string& name) const {
  const Hdf5Dataset dataset(check_hdf5(H5Dopen2(content_->handle.id(), name.c_str(), H5P_DEFAULT),
                                       content_->path, "open '" + name + "'"));
  return Hdf5Values(dataset.id(), content_->path).read_text_attribute("units");
}

std::vector<float> TrajectoryFile::floats_at(const std::string& name, std::int64_t time) const {
  return content_->row<float>(name, time, H5T_NATIVE_FLOAT);
}
std::vector<double> TrajectoryFile::doubles_at(const std::string& name, std::int64_t time) const {
  return content_->row<double>(name, time, H5T_NATIVE_DOUBLE);
}
std::vector<double> TrajectoryFile::doubles(const std::string& name) const {
  return content_->values.doubles(name);
}
std::vector<std::int64_t> TrajectoryFile::integers(const std::string& name) const {
  return content_->values.integers(name);
}
std::vector<std::string> TrajectoryFile::prompts() const { return content_->values.texts("prompt"); }

} // namespace scoreact
