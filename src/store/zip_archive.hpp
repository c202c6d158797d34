#pragma once
/// Reading zip archives (APPNOTE.TXT 6.3.10 of PKWARE): what torch.save and numpy.savez write. Entries that
/// are stored or deflated, archives of more than 4 GiB (zip64). Believes nothing in the file: every bound and
/// every checksum is checked before bytes are given out.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace scoreact {

class ZipArchive {
 public:
  /// Reads the directory. Throws Error{missing_input} if there is no such file, Error{data} if it isn't a zip
  /// archive or a part of it lies outside of the file.
  explicit ZipArchive(const std::filesystem::path& path);
  ~ZipArchive();
  ZipArchive(ZipArchive&&) noexcept;
  ZipArchive& operator=(ZipArchive&&) noexcept;

  /// Whether a file begins as a zip archive does. False if there is no such file.
  static bool recognises(const std::filesystem::path& path);

  /// Names of the entries in the order of the directory, folders included.
  const std::vector<std::string>& names() const;
  bool contains(const std::string& name) const;
  /// The bytes of an entry, valid as long as this object lives; stored ones are a view of the file. Throws
  /// Error{data} if there is no such entry, it is encrypted or packed otherwise, or its CRC-32 is wrong.
  std::span<const std::byte> read(const std::string& name) const;
  const std::filesystem::path& path() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

} // namespace scoreact
