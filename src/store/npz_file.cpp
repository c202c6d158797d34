#include "store/npz_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <span>
#include <string_view>

#include "error/error.hpp"
#include "store/atomic_file.hpp"
#include "store/mapped_file.hpp"
#include "store/zip_format.hpp"

namespace scoreact {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie in the file");

namespace {

/// The little-endian number at `at`; the caller has checked the bounds.
template <class T> T number_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

template <class T> void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::uint32_t check_sum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<z_size_t>(bytes.size())));
}

/// What a .npy header says; the file is a Python dictionary of three known keys.
struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// The text behind `'key':`, without leading blanks.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& where) {
  for (const char quote : {'\'', '"'}) {
    const std::string name = fmt::format("{}{}{}", quote, key, quote);
    const std::size_t found = header.find(name);
    if (found == std::string_view::npos)
      continue;
    std::string_view rest = header.substr(found + name.size());
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == ':'))
      rest.remove_prefix(1);
    return rest;
  }
  SCOREACT_FAIL(ExitCode::data, "{}: the .npy header has no {}", where, key);
}

NpyHeader read_header(std::string_view text, const std::string& where) {
  NpyHeader header;
  const std::string_view descr = value_of(text, "descr", where);
  const std::size_t close = descr.empty() ? std::string_view::npos : descr.find(descr.front(), 1);
  SCOREACT_REQUIRE(close != std::string_view::npos && (descr.front() == '\'' || descr.front() == '"'),
                   ExitCode::data, "{}: expected plain numbers, found a structured array", where);
  header.descr = std::string(descr.substr(1, close - 1));
  header.fortran_order = value_of(text, "fortran_order", where).starts_with("True");
  std::string_view shape = value_of(text, "shape", where);
  const std::size_t end = shape.find(')');
  SCOREACT_REQUIRE(shape.starts_with('(') && end != std::string_view::npos, ExitCode::data,
                   "{}: the .npy header has no shape", where);
  shape = shape.substr(1, end - 1);
  while (!shape.empty()) {
    const std::size_t comma = std::min(shape.find(','), shape.size());
    std::int64_t extent = 0;
    bool digits = false;
    for (const char c : shape.substr(0, comma)) {
      if (c == ' ' || c == 'L') // Python 2 wrote 2048L
        continue;
      SCOREACT_REQUIRE(std::isdigit(static_cast<unsigned char>(c)) && extent < (std::int64_t{1} << 40),
                       ExitCode::data, "{}: impossible shape ({})", where, shape);
      extent = 10 * extent + (c - '0');
      digits = true;
    }
    if (digits)
      header.shape.push_back(extent);
    shape.remove_prefix(std::min(comma + 1, shape.size()));
  }
  return header;
}

template <class T> std::vector<double> widened(std::string_view bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<double>(number_at<T>(bytes, i * sizeof(T)));
  return values;
}

/// From Fortran to C order.
std::vector<double> transposed(const std::vector<double>& values, const std::vector<std::int64_t>& shape) {
  std::vector<double> result(values.size());
  std::vector<std::int64_t> index(shape.size(), 0);
  for (double& target : result) { // index counts in C order
    std::size_t source = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;)
      source = source * static_cast<std::size_t>(shape[axis]) + static_cast<std::size_t>(index[axis]);
    target = values[source];
    for (std::size_t axis = shape.size(); axis-- > 0 && ++index[axis] == shape[axis];)
      index[axis] = 0;
  }
  return result;
}

std::string npy_bytes(const ArrayView& array, const std::string& name) {
  SCOREACT_REQUIRE(array.dtype == DType::f32 || array.dtype == DType::f64, ExitCode::internal,
                   "array {}: .npz holds f32 and f64 here", name);
  std::string shape;
  for (const std::int64_t extent : array.shape)
    shape += fmt::format("{}, ", extent);
  std::string header = fmt::format(
      "{{'descr': '<f{}', 'fortran_order': False, 'shape': ({}), }}", size_of(array.dtype),
      array.shape.size() > 1 ? shape.substr(0, shape.size() - 2) : shape.substr(0, shape.find(' ')));
  constexpr std::size_t fixed = 10; // magic, version, length
  header.append(63 - (fixed + header.size()) % 64, ' ').push_back('\n');
  std::string bytes("\x93NUMPY\x01\x00", 8);
  append(bytes, static_cast<std::uint16_t>(header.size()));
  bytes += header;
  bytes.append(static_cast<const char*>(array.data), array.bytes());
  return bytes;
}

/// The array of a .npy file or entry.
NpyNumbers npy_numbers(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  SCOREACT_REQUIRE(all.size() >= 12 && all.starts_with("\x93NUMPY"), ExitCode::data,
                   "{}: expected a .npy array", where);
  const bool short_length = all[6] == 1; // 16 bits in version 1, 32 bits in 2 and 3
  const std::size_t begin = short_length ? 10 : 12;
  const std::size_t length =
      short_length ? number_at<std::uint16_t>(all, 8) : std::size_t{number_at<std::uint32_t>(all, 8)};
  SCOREACT_REQUIRE(length <= all.size() - begin, ExitCode::data, "{}: its .npy header is damaged", where);
  const NpyHeader header = read_header(all.substr(begin, length), where);
  SCOREACT_REQUIRE(header.descr == "<f8" || header.descr == "<f4", ExitCode::data,
                   "{}: expected float64 or float32 (<f8, <f4), found {}", where, header.descr);
  const std::string_view data = all.substr(begin + length);
  std::uint64_t expected = header.descr == "<f8" ? 8 : 4;
  bool fits = true;
  for (const std::int64_t extent : header.shape)
    fits = fits && !__builtin_mul_overflow(expected, static_cast<std::uint64_t>(extent), &expected);
  SCOREACT_REQUIRE(fits && expected == data.size(), ExitCode::data, "{}: its shape does not fit its {} bytes",
                   where, data.size());
  NpyNumbers result{header.shape, header.descr == "<f8" ? widened<double>(data) : widened<float>(data)};
  if (header.fortran_order)
    result.values = transposed(result.values, result.shape);
  return result;
}

ZipArchive archive_of(const std::filesystem::path& path) {
  SCOREACT_REQUIRE(!std::filesystem::exists(path) || ZipArchive::recognises(path), ExitCode::data,
                   "{}: expected a NumPy .npz file, which is a zip archive", path.string());
  return ZipArchive(path);
}

} // namespace

NpyNumbers read_npy(const std::filesystem::path& path) {
  const MappedFile file(path);
  return npy_numbers(std::as_bytes(std::span(file.data(), file.size())), path.string());
}

NpzFile::NpzFile(const std::filesystem::path& path) : path_(path.string()), archive_(archive_of(path)) {
  for (const std::string& entry : archive_.names())
    entries_.emplace(entry.ends_with(".npy") ? entry.substr(0, entry.size() - 4) : entry, entry);
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_)
    names.push_back(name);
  return names;
}

NpyNumbers NpzFile::numbers(const std::string& name) const {
  const auto found = entries_.find(name);
  SCOREACT_REQUIRE(found != entries_.end(), ExitCode::data, "{}: no array \"{}\" in this file", path_, name);
  return npy_numbers(archive_.read(found->second), fmt::format("{}: array \"{}\"", path_, name));
}

void write_npz(const std::filesystem::path& path, const std::vector<NamedArray>& arrays) {
  write_atomically(path, [&](const ByteSink& sink) {
    std::uint64_t offset = 0;
    const auto put = [&](const std::string& bytes) {
      sink(std::as_bytes(std::span(bytes.data(), bytes.size())));
      offset += bytes.size();
    };
    std::string directory;
    for (const NamedArray& item : arrays) {
      const std::string name = item.name + ".npy", bytes = npy_bytes(item.array, item.name);
      SCOREACT_REQUIRE(offset + bytes.size() < zip::kFar, ExitCode::internal, "{}: 4 GiB or more",
                       path.string());
      std::string common;                // what the local header and the table of contents share
      append<std::uint16_t>(common, 20); // version 2.0
      append<std::uint16_t>(common, 0);  // no flags
      append<std::uint16_t>(common, zip::kStored);
      append<std::uint16_t>(common, 0);    // midnight
      append<std::uint16_t>(common, 0x21); // 1 January 1980, the earliest
      append<std::uint32_t>(common, check_sum(bytes));
      append<std::uint32_t>(common, static_cast<std::uint32_t>(bytes.size()));
      append<std::uint32_t>(common, static_cast<std::uint32_t>(bytes.size()));
      append<std::uint16_t>(common, static_cast<std::uint16_t>(name.size()));
      append<std::uint16_t>(common, 0); // no extra field
      append(directory, zip::kDirectoryEntry);
      append<std::uint16_t>(directory, 20);
      directory += common;
      directory.append(2 + 2 + 2 + 4, '\0'); // comment, disk, attributes
      append(directory, static_cast<std::uint32_t>(offset));
      directory += name;
      std::string header;
      append(header, zip::kLocalHeader);
      put(header + common + name);
      put(bytes);
    }
    std::string end;
    append(end, zip::kEnd);
    append<std::uint32_t>(end, 0); // one disk
    for (int i = 0; i < 2; ++i)
      append(end, static_cast<std::uint16_t>(arrays.size()));
    append(end, static_cast<std::uint32_t>(directory.size()));
    append(end, static_cast<std::uint32_t>(offset));
    append<std::uint16_t>(end, 0); // no comment
    put(directory + end);
  });
}

} // namespace scoreact
