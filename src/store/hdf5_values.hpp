#pragma once
/// Attributes and whole datasets of HDF5 files: numbers in native types, strings as UTF-8 that h5py shows as
/// str. `place` is an open file, group or dataset of `file`; the path is for messages. All throw Error{io} if
/// HDF5 refuses, and the reading ones Error{data} if the object is absent or of a kind that was not expected.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store/array.hpp"
#include "store/hdf5_handle.hpp"

namespace scoreact {

using AttributeValue = std::variant<std::string, std::int64_t, double>;
using Attributes = std::map<std::string, AttributeValue>;

class Hdf5Values {
 public:
  Hdf5Values(hid_t place, std::filesystem::path file) : place_(place), file_(std::move(file)) {}

  void write_attribute(const std::string& name, const AttributeValue& value) const;
  /// A one-dimensional list of numbers.
  void write_attribute(const std::string& name, const std::vector<double>& values) const;
  /// Names of the dimensions of a dataset, in the form of HDF5's dimension scales (h5py:
  /// dataset.dims[i].label) and, joined by commas, as attribute `dimensions`.
  void write_dimensions(const std::vector<std::string>& names) const;
  Attributes read_attributes() const;
  /// nullopt-like: `otherwise` if there is no such attribute.
  std::string read_text_attribute(const std::string& name, const std::string& otherwise = "") const;

  /// Contiguous, no time stamps; a '/' in the name makes groups. The dataset stays open for its attributes.
  Hdf5Dataset write_dataset(const std::string& name, const ArrayView& array) const;
  Hdf5Dataset write_texts(const std::string& name, const std::vector<std::string>& texts) const;

  bool contains(const std::string& name) const;
  std::vector<std::string> names() const;    ///< of the links of a group, alphabetically
  std::vector<std::string> datasets() const; ///< of a group and the groups in it, alphabetically, with '/'
  std::vector<std::int64_t> shape(const std::string& name) const;
  /// Numbers of any type are converted, except that integers() refuses floating point.
  std::vector<float> floats(const std::string& name) const;
  std::vector<double> doubles(const std::string& name) const;
  std::vector<std::int64_t> integers(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;
  DType dtype(const std::string& name) const;

 private:
  hid_t place_;
  std::filesystem::path file_;
};

/// Dataset creation without time stamps, so that bytes do not depend on when a file was written.
Hdf5Properties timeless_dataset(const std::filesystem::path& file);

/// The HDF5 type in memory of a dtype; f16, bf16 and the narrow integers have none here (Error{internal}).
hid_t hdf5_type(DType dtype);

/// A type for UTF-8 strings of variable length (0) or of so many bytes, padded with zeros.
Hdf5Type utf8_type(std::size_t bytes);

} // namespace scoreact
