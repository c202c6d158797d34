#pragma once
/// Whole HDF5 files on one process: opening for reading, and building in memory so that a file reaches the
/// disk in one atomic write, whatever HDF5 does in between.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <vector>

#include "store/hdf5_handle.hpp"

namespace scoreact {

/// Opens for reading, without HDF5's locks: our files are replaced, never changed in place. Throws
/// Error{missing_input}, Error{data} if it is no HDF5 file or damaged.
Hdf5File open_hdf5(const std::filesystem::path& path);

/// The bytes of a file that `fill` builds; `path` is for messages only. Throws Error{io}.
std::vector<std::byte> build_hdf5_image(const std::filesystem::path& path,
                                        const std::function<void(hid_t)>& fill);

} // namespace scoreact
