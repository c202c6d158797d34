#include "store/hdf5_file.hpp"

#include "error/error.hpp"

namespace scoreact {

namespace fs = std::filesystem;

Hdf5File open_hdf5(const fs::path& path) {
  silence_hdf5();
  SCOREACT_REQUIRE(fs::is_regular_file(path), ExitCode::missing_input, "{}: no such file", path.string());
  const Hdf5Properties access(check_hdf5(H5Pcreate(H5P_FILE_ACCESS), path, "make properties"));
  check_hdf5(H5Pset_file_locking(access.id(), false, true), path, "switch locking off");
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id());
  SCOREACT_REQUIRE(id >= 0, ExitCode::data, "{}: not a readable HDF5 file: {}", path.string(), hdf5_reason());
  return Hdf5File(id);
}

std::vector<std::byte> build_hdf5_image(const fs::path& path, const std::function<void(hid_t)>& fill) {
  silence_hdf5();
  constexpr std::size_t kGrowth = 64 * 1024;
  const Hdf5Properties access(check_hdf5(H5Pcreate(H5P_FILE_ACCESS), path, "make properties"));
  check_hdf5(H5Pset_fapl_core(access.id(), kGrowth, false), path, "build it in memory");
  const Hdf5File file(check_hdf5(H5Fcreate(path.filename().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()),
                                 path, "create it"));
  fill(file.id());
  check_hdf5(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), path, "complete it");
  const ssize_t size = H5Fget_file_image(file.id(), nullptr, 0);
  SCOREACT_REQUIRE(size > 0, ExitCode::io, "{}: cannot take its image: {}", path.string(), hdf5_reason());
  std::vector<std::byte> image(static_cast<std::size_t>(size));
  SCOREACT_REQUIRE(H5Fget_file_image(file.id(), image.data(), image.size()) == size, ExitCode::io,
                   "{}: cannot take its image: {}", path.string(), hdf5_reason());
  return image;
}

} // namespace scoreact
