#pragma once
/// HDF5 dimension scales: which dataset holds the coordinates along a dimension of another, so that readers
/// (h5py: dataset.dims[i][0], xarray, netCDF, ParaView) label axes by themselves. The attributes are those of
/// "HDF5 Dimension Scale Specification" 1.0: CLASS and NAME and REFERENCE_LIST on the scale, DIMENSION_LIST
/// on what lies along it. Written at once instead of through HDF5's high-level library, which rewrites the
/// lists at every step.
#include <filesystem>
#include <string>
#include <vector>

#include "store/hdf5_handle.hpp"

namespace scoreact {

/// A one-dimensional dataset that is the coordinate of dimension `dimension` of `along`.
struct ScaledDimension {
  std::string scale, along;
  unsigned dimension = 0;
};

/// Paths of datasets are relative to `place`, an open file or group of `file`; call once, after all of them
/// exist. Under parallel HDF5 every rank calls with the same arguments. A scale must not itself lie along
/// another. Throws Error{io}, Error{internal} if a dataset has fewer dimensions.
void write_dimension_scales(hid_t place, const std::filesystem::path& file,
                            const std::vector<ScaledDimension>& scaled);

} // namespace scoreact
