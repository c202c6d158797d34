#pragma once
/// A whole file in memory, mapped. Pages are private: writing to them does not reach the file, so tensors can
/// be views of it. They stay valid when the file is replaced by renaming, which is how scoreact writes.
#include <cstddef>
#include <filesystem>

namespace scoreact {

class MappedFile {
 public:
  /// Throws Error{missing_input} if there is no such regular file, Error{io} if it cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const char* data() const { return static_cast<const char*>(address_); } ///< null if the file is empty
  std::size_t size() const { return size_; }                              ///< bytes

 private:
  void* address_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace scoreact
