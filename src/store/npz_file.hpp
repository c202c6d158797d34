#pragma once
/// NumPy's .npz: a zip archive (entries stored or deflated) of .npy arrays. Reading believes nothing in the
/// file: bounds, check sums and shapes are checked. Formats: PKWARE's APPNOTE 6.3, numpy.lib.format 1.0
/// to 3.0.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "store/array.hpp"
#include "store/zip_archive.hpp"

namespace scoreact {

/// Floating-point numbers of one array, C order.
struct NpyNumbers {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// One array as a .npy file. Throws Error{missing_input | data}.
NpyNumbers read_npy(const std::filesystem::path& path);

class NpzFile {
 public:
  /// Throws Error{missing_input}; Error{data} if this is no zip archive, or a damaged one.
  explicit NpzFile(const std::filesystem::path& path);

  /// Names of the arrays, without ".npy".
  std::vector<std::string> names() const;
  bool contains(const std::string& name) const { return entries_.count(name) > 0; }
  /// float32 or float64, C or Fortran order. Throws Error{data}.
  NpyNumbers numbers(const std::string& name) const;

 private:
  std::string path_;
  ZipArchive archive_;
  std::map<std::string, std::string> entries_; ///< of the archive, by the array's name
};

/// Writes atomically; entries are stored, without a time, so equal arrays give equal bytes. f32 and f64 only.
/// Throws Error{io}, Error{internal} for other dtypes or 4 GiB and more.
void write_npz(const std::filesystem::path& path, const std::vector<NamedArray>& arrays);

} // namespace scoreact
