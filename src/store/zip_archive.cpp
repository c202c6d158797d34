#include "store/zip_archive.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <unordered_map>

#include "error/error.hpp"
#include "store/mapped_file.hpp"
#include "store/zip_format.hpp"

namespace scoreact {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kEncrypted = 1, kZip64Field = 1;
constexpr std::uint64_t kLongestComment = 65535;
constexpr std::uint64_t kDeflateAtBest = 1032; // bytes from one; more is a lie about the size

/// Little-endian numbers of a file, each read checked against its end.
class ZipReader {
 public:
  ZipReader(const fs::path& path, const char* data, std::uint64_t size)
      : path_(path), data_(data), size_(size) {}

  std::uint64_t size() const { return size_; }
  const char* bytes(std::uint64_t at, std::uint64_t length, const char* what) const {
    SCOREACT_REQUIRE(at <= size_ && length <= size_ - at, ExitCode::data,
                     "{}: zip archive: {} lies outside of the file, which is cut off or damaged",
                     path_.string(), what);
    return data_ + at;
  }
  template <class T> T number(std::uint64_t at, const char* what) const {
    T value;
    std::memcpy(&value, bytes(at, sizeof(T), what), sizeof(T));
    return value;
  }

 private:
  const fs::path& path_;
  const char* data_;
  std::uint64_t size_;
};

struct ZipEntry {
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0, unpacked = 0, header = 0; ///< bytes; where the local header stands
};

struct ZipDirectory {
  std::uint64_t at = 0, bytes = 0, entries = 0;
};

/// Where the end record stands: in the last 64 KiB, a comment of any length behind it.
std::uint64_t find_end(const fs::path& path, const ZipReader& file) {
  constexpr std::uint64_t kSize = 22;
  for (std::uint64_t back = kSize; back <= file.size() && back <= kSize + kLongestComment; ++back) {
    const std::uint64_t at = file.size() - back;
    if (file.number<std::uint32_t>(at, "its end") == zip::kEnd &&
        file.number<std::uint16_t>(at + 20, "its end") == back - kSize) {
      return at;
    }
  }
  SCOREACT_FAIL(ExitCode::data, "{}: no end of a zip archive in it: the file is cut off or damaged",
                path.string());
}

ZipDirectory find_directory(const fs::path& path, const ZipReader& file) {
  const std::uint64_t end = find_end(path, file);
  ZipDirectory directory{file.number<std::uint32_t>(end + 16, "its end"),
                         file.number<std::uint32_t>(end + 12, "its end"),
                         file.number<std::uint16_t>(end + 10, "its end")};
  if (end >= 20 && file.number<std::uint32_t>(end - 20, "its end") == zip::kEnd64Locator) {
    const auto at = file.number<std::uint64_t>(end - 12, "its end");
    SCOREACT_REQUIRE(file.number<std::uint32_t>(at, "its zip64 end") == zip::kEnd64, ExitCode::data,
                     "{}: zip archive: no zip64 record where its end says", path.string());
    file.bytes(at, 56, "its zip64 end");
    directory = {file.number<std::uint64_t>(at + 48, "its zip64 end"),
                 file.number<std::uint64_t>(at + 40, "its zip64 end"),
                 file.number<std::uint64_t>(at + 32, "its zip64 end")};
  }
  file.bytes(directory.at, directory.bytes, "its directory");
  return directory;
}

/// Sizes of 2^32 - 1 and more stand in a field of their own, in this order.
void read_zip64_field(const ZipReader& file, std::uint64_t at, std::uint64_t length, ZipEntry& entry) {
  const std::uint64_t end = at + length;
  while (at + 4 <= end) {
    const auto id = file.number<std::uint16_t>(at, "an extra field");
    const std::uint64_t field = at + 4, size = file.number<std::uint16_t>(at + 2, "an extra field");
    if (id == kZip64Field) {
      std::uint64_t next = field;
      for (std::uint64_t* value : {&entry.unpacked, &entry.packed, &entry.header}) {
        if (*value == zip::kFar && next + 8 <= std::min(field + size, end)) {
          *value = file.number<std::uint64_t>(next, "a zip64 field");
          next += 8;
        }
      }
      return;
    }
    at = field + size;
  }
}

/// zlib's counters have 32 bits.
std::uint32_t crc_of(std::span<const std::byte> bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  uLong crc = crc32(0, nullptr, 0);
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    const std::size_t length = std::min(kPiece, bytes.size() - at);
    crc = crc32(crc, reinterpret_cast<const Bytef*>(bytes.data() + at), static_cast<uInt>(length));
  }
  return static_cast<std::uint32_t>(crc);
}

/// Raw deflate. Returns whether it gave exactly as many bytes as `out` has room for.
bool inflate_into(std::span<const std::byte> packed, std::span<std::byte> out) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    return false;
  }
  std::size_t read = 0, written = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t in = std::min(kPiece, packed.size() - read);
    const std::size_t room = std::min(kPiece, out.size() - written);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + read));
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = static_cast<uInt>(room);
    status = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += room - stream.avail_out;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && written == out.size();
}

} // namespace

struct ZipArchive::Content {
  explicit Content(const fs::path& file)
      : path(file), mapping(file), reader(path, mapping.data(), mapping.size()) {}
  fs::path path;
  MappedFile mapping;
  ZipReader reader;
  std::vector<std::string> names;
  std::unordered_map<std::string, ZipEntry> entries;
  std::unordered_map<std::string, std::vector<std::byte>> unpacked;
};

ZipArchive::ZipArchive(const fs::path& path) : content_(std::make_unique<Content>(path)) {
  const ZipReader& file = content_->reader;
  const ZipDirectory directory = find_directory(path, file);
  std::uint64_t at = directory.at;
  const std::uint64_t end = directory.at + directory.bytes;
  for (std::uint64_t n = 0; n < directory.entries; ++n) {
    constexpr std::uint64_t kSize = 46;
    SCOREACT_REQUIRE(at + kSize <= end &&
                         file.number<std::uint32_t>(at, "its directory") == zip::kDirectoryEntry,
                     ExitCode::data, "{}: zip archive: entry {} of {} is not where its directory says",
                     path.string(), n + 1, directory.entries);
    const std::uint64_t name_length = file.number<std::uint16_t>(at + 28, "its directory"),
                        extra = file.number<std::uint16_t>(at + 30, "its directory"),
                        comment = file.number<std::uint16_t>(at + 32, "its directory");
    ZipEntry entry{file.number<std::uint16_t>(at + 8, "its directory"),
                   file.number<std::uint16_t>(at + 10, "its directory"),
                   file.number<std::uint32_t>(at + 16, "its directory"),
                   file.number<std::uint32_t>(at + 20, "its directory"),
                   file.number<std::uint32_t>(at + 24, "its directory"),
                   file.number<std::uint32_t>(at + 42, "its directory")};
    std::string name(file.bytes(at + kSize, name_length, "a name"), name_length);
    file.bytes(at + kSize + name_length, extra, "an extra field");
    read_zip64_field(file, at + kSize + name_length, extra, entry);
    at += kSize + name_length + extra + comment;
    SCOREACT_REQUIRE(content_->entries.emplace(name, entry).second, ExitCode::data,
                     "{}: zip archive: '{}' is in it twice", path.string(), name);
    content_->names.push_back(std::move(name));
  }
}

ZipArchive::~ZipArchive() = default;
ZipArchive::ZipArchive(ZipArchive&&) noexcept = default;
ZipArchive& ZipArchive::operator=(ZipArchive&&) noexcept = default;

bool ZipArchive::recognises(const fs::path& path) {
  std::uint32_t start = 0;
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(&start), sizeof(start));
  return start == zip::kLocalHeader || start == zip::kEnd;
}

const std::vector<std::string>& ZipArchive::names() const { return content_->names; }
bool ZipArchive::contains(const std::string& name) const { return content_->entries.contains(name); }
const fs::path& ZipArchive::path() const { return content_->path; }

std::span<const std::byte> ZipArchive::read(const std::string& name) const {
  const std::string file = content_->path.string();
  const auto found = content_->entries.find(name);
  SCOREACT_REQUIRE(found != content_->entries.end(), ExitCode::data, "{}: zip archive: no '{}' in it", file,
                   name);
  if (const auto done = content_->unpacked.find(name); done != content_->unpacked.end()) {
    return done->second;
  }
  const ZipEntry& entry = found->second;
  const ZipReader& reader = content_->reader;
  constexpr std::uint64_t kSize = 30;
  SCOREACT_REQUIRE(reader.number<std::uint32_t>(entry.header, "a header") == zip::kLocalHeader,
                   ExitCode::data, "{}: zip archive: '{}' is not where its directory says", file, name);
  const std::uint64_t data = entry.header + kSize +
                             reader.number<std::uint16_t>(entry.header + 26, "a header") +
                             reader.number<std::uint16_t>(entry.header + 28, "a header");
  SCOREACT_REQUIRE((entry.flags & kEncrypted) == 0, ExitCode::data, "{}: zip archive: '{}' is encrypted",
                   file, name);
  const std::span packed(reinterpret_cast<const std::byte*>(reader.bytes(data, entry.packed, "an entry")),
                         entry.packed);
  std::span<const std::byte> bytes = packed;
  if (entry.method == zip::kDeflated) {
    SCOREACT_REQUIRE(entry.unpacked / kDeflateAtBest <= entry.packed, ExitCode::data,
                     "{}: zip archive: '{}': {} bytes cannot become {}", file, name, entry.packed,
                     entry.unpacked);
    std::vector<std::byte> out(entry.unpacked);
    SCOREACT_REQUIRE(inflate_into(packed, out), ExitCode::data,
                     "{}: zip archive: '{}' is damaged: it does not unpack to {} bytes", file, name,
                     entry.unpacked);
    bytes = content_->unpacked.emplace(name, std::move(out)).first->second;
  } else {
    SCOREACT_REQUIRE(entry.method == zip::kStored && entry.packed == entry.unpacked, ExitCode::data,
                     "{}: zip archive: '{}': expected it stored or deflated, found method {}", file, name,
                     entry.method);
  }
  if (const std::uint32_t crc = crc_of(bytes); crc != entry.crc) {
    content_->unpacked.erase(name);
    SCOREACT_FAIL(ExitCode::data, "{}: zip archive: '{}' is damaged: CRC-32 {:08x}, expected {:08x}", file,
                  name, crc, entry.crc);
  }
  return bytes;
}

} // namespace scoreact
