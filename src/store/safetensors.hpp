#pragma once
/// Weight files: u64 header length, JSON header, raw little-endian data
/// (https://github.com/huggingface/safetensors). Reading maps the file and believes nothing in it: every
/// bound is checked before a view is given out. Writing gives the same bytes as the Rust writer: tensors by
/// dtype (widest first), then by name; header padded with spaces to 8 bytes.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/array.hpp"

namespace scoreact {

class SafetensorsFile {
 public:
  /// Throws Error{missing_input} if there is no such file, Error{data} naming file and tensor if it is
  /// malformed.
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  /// In the order of the data in the file.
  const std::vector<std::string>& names() const;
  bool contains(const std::string& name) const;
  /// Valid as long as this object lives; data is aligned for its dtype. Throws Error{data} if there is no
  /// such tensor.
  ArrayView at(const std::string& name) const;
  /// The `__metadata__` entry, empty if absent.
  const std::map<std::string, std::string>& metadata() const;
  const std::filesystem::path& path() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

/// Writes atomically: the file is complete or untouched. Throws Error{internal} for a name given twice,
/// Error{io} if the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedArray>& arrays,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

} // namespace scoreact
