#include "store/npz_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string_view>

#include "error/error.hpp"
#include "store/atomic_file.hpp"

namespace scoreact {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie in the file");

namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50, kCentralEntry = 0x02014b50, kEndOfDirectory = 0x06054b50;
constexpr std::uint32_t kFar = 0xffffffff; // the number stands in the zip64 field
constexpr std::uint16_t kStored = 0, kDeflated = 8;
constexpr std::uint64_t kMostDeflated =
    1032; // bytes that one byte can stand for (zlib.net, technical details)

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

/// Replaces those of `numbers` that are too large for their field by the ones of the zip64 field.
void read_zip64(std::string_view extra, const std::vector<std::uint64_t*>& numbers) {
  while (extra.size() >= 4) {
    const auto tag = number_at<std::uint16_t>(extra, 0);
    const std::size_t length = std::min<std::size_t>(number_at<std::uint16_t>(extra, 2), extra.size() - 4);
    if (tag == 1) {
      std::size_t at = 4;
      for (std::uint64_t* number : numbers)
        if (*number == kFar && at + 8 <= 4 + length) {
          *number = number_at<std::uint64_t>(extra, at);
          at += 8;
        }
    }
    extra.remove_prefix(4 + length);
  }
}

std::string inflated(std::string_view bytes, std::size_t size, const std::string& where) {
  std::string result(size, '\0');
  z_stream stream{};
  SCOREACT_REQUIRE(inflateInit2(&stream, -MAX_WBITS) == Z_OK, ExitCode::internal, "{}: zlib cannot start",
                   where);
  std::size_t taken = 0, given = 0;
  int status = Z_OK;
  constexpr std::size_t most = 1 << 30; // zlib counts in 32 bits
  while (status == Z_OK) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + taken)); // zlib only reads it
    stream.avail_in = static_cast<uInt>(std::min(most, bytes.size() - taken));
    stream.next_out = reinterpret_cast<Bytef*>(result.data() + given);
    stream.avail_out = static_cast<uInt>(std::min(most, size - given));
    const uInt in = stream.avail_in, out = stream.avail_out;
    status = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    given += out - stream.avail_out;
  }
  inflateEnd(&stream);
  SCOREACT_REQUIRE(status == Z_STREAM_END && given == size, ExitCode::data,
                   "{}: the compressed numbers are damaged", where);
  return result;
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

} // namespace

NpzFile::NpzFile(const std::filesystem::path& path) : path_(path.string()) {
  std::ifstream stream(path, std::ios::binary);
  SCOREACT_REQUIRE(stream && std::filesystem::is_regular_file(path), ExitCode::missing_input,
                   "{}: cannot open this file", path_);
  content_.assign(std::istreambuf_iterator<char>(stream), {});
  const std::string_view all = content_;
  const auto require = [&](bool good, const char* what) {
    SCOREACT_REQUIRE(good, ExitCode::data, "{}: expected a NumPy .npz file (a zip archive); {}", path_, what);
  };
  constexpr std::size_t end_size = 22, entry_size = 46;
  require(all.size() >= end_size, "it is too short");
  std::size_t end = all.size() - end_size; // a comment of up to 64 KiB may follow
  const std::size_t lowest = end > 0xffff ? end - 0xffff : 0;
  while (end > lowest && number_at<std::uint32_t>(all, end) != kEndOfDirectory)
    --end;
  require(number_at<std::uint32_t>(all, end) == kEndOfDirectory, "its end is missing");
  const auto count = number_at<std::uint16_t>(all, end + 10);
  std::size_t at = number_at<std::uint32_t>(all, end + 16);
  for (std::uint16_t i = 0; i < count; ++i) {
    require(at <= end && end - at >= entry_size && number_at<std::uint32_t>(all, at) == kCentralEntry,
            "its table of contents is damaged");
    const std::size_t name_size = number_at<std::uint16_t>(all, at + 28),
                      extra_size = number_at<std::uint16_t>(all, at + 30),
                      comment_size = number_at<std::uint16_t>(all, at + 32);
    require(end - at - entry_size >= name_size + extra_size + comment_size,
            "its table of contents is damaged");
    Entry entry{number_at<std::uint32_t>(all, at + 42), number_at<std::uint32_t>(all, at + 20),
                number_at<std::uint32_t>(all, at + 24), number_at<std::uint32_t>(all, at + 16),
                number_at<std::uint16_t>(all, at + 10)};
    read_zip64(all.substr(at + entry_size + name_size, extra_size),
               {&entry.size, &entry.compressed, &entry.offset});
    std::string name(all.substr(at + entry_size, name_size));
    if (name.ends_with(".npy"))
      name.resize(name.size() - 4);
    entries_.emplace(std::move(name), entry);
    at += entry_size + name_size + extra_size + comment_size;
  }
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_)
    names.push_back(name);
  return names;
}

std::string NpzFile::bytes_of(const std::string& name) const {
  const auto found = entries_.find(name);
  SCOREACT_REQUIRE(found != entries_.end(), ExitCode::data, "{}: no array \"{}\" in this file", path_, name);
  const Entry& entry = found->second;
  const std::string where = fmt::format("{}: array \"{}\"", path_, name);
  const auto require = [&](bool good) {
    SCOREACT_REQUIRE(good, ExitCode::data, "{}: it does not lie inside the file; the file is damaged", where);
  };
  constexpr std::size_t header_size = 30;
  const std::string_view all = content_;
  require(entry.offset <= all.size() && all.size() - entry.offset >= header_size &&
          number_at<std::uint32_t>(all, entry.offset) == kLocalHeader);
  const std::size_t begin = entry.offset + header_size + number_at<std::uint16_t>(all, entry.offset + 26) +
                            number_at<std::uint16_t>(all, entry.offset + 28);
  require(begin <= all.size() && all.size() - begin >= entry.compressed);
  const std::string_view stored = all.substr(begin, entry.compressed);
  std::string bytes;
  if (entry.method == kStored) {
    require(entry.size == entry.compressed);
    bytes = std::string(stored);
  } else {
    SCOREACT_REQUIRE(entry.method == kDeflated, ExitCode::data,
                     "{}: packed by method {}; expected stored (0) or deflated (8)", where, entry.method);
    require(entry.size / kMostDeflated <= entry.compressed);
    bytes = inflated(stored, entry.size, where);
  }
  SCOREACT_REQUIRE(check_sum(bytes) == entry.crc, ExitCode::data,
                   "{}: its check sum is wrong; the file is damaged", where);
  return bytes;
}

NpyNumbers NpzFile::numbers(const std::string& name) const {
  const std::string bytes = bytes_of(name);
  const std::string where = fmt::format("{}: array \"{}\"", path_, name);
  const std::string_view all = bytes;
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
      SCOREACT_REQUIRE(offset + bytes.size() < kFar, ExitCode::internal, "{}: 4 GiB or more", path.string());
      std::string common;                // what the local header and the table of contents share
      append<std::uint16_t>(common, 20); // version 2.0
      append<std::uint16_t>(common, 0);  // no flags
      append<std::uint16_t>(common, kStored);
      append<std::uint16_t>(common, 0);    // midnight
      append<std::uint16_t>(common, 0x21); // 1 January 1980, the earliest
      append<std::uint32_t>(common, check_sum(bytes));
      append<std::uint32_t>(common, static_cast<std::uint32_t>(bytes.size()));
      append<std::uint32_t>(common, static_cast<std::uint32_t>(bytes.size()));
      append<std::uint16_t>(common, static_cast<std::uint16_t>(name.size()));
      append<std::uint16_t>(common, 0); // no extra field
      append(directory, kCentralEntry);
      append<std::uint16_t>(directory, 20);
      directory += common;
      directory.append(2 + 2 + 2 + 4, '\0'); // comment, disk, attributes
      append(directory, static_cast<std::uint32_t>(offset));
      directory += name;
      std::string header;
      append(header, kLocalHeader);
      put(header + common + name);
      put(bytes);
    }
    std::string end;
    append(end, kEndOfDirectory);
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
