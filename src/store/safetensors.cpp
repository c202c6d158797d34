#include "store/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <unordered_map>

#include "error/error.hpp"
#include "store/atomic_file.hpp"
#include "store/json_text.hpp"
#include "store/mapped_file.hpp"

namespace scoreact {

static_assert(std::endian::native == std::endian::little, "weight files are read in place");

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kMaxHeader = 100'000'000; // as the Rust reader
constexpr int kMaxDepth = 3;                      // { tensor: { shape: [

const DType* find_dtype(const std::string& name) {
  static constexpr DType kAll[] = {DType::boolean, DType::u8,   DType::i8,  DType::i16, DType::u16,
                                   DType::f16,     DType::bf16, DType::i32, DType::u32, DType::f32,
                                   DType::f64,     DType::i64,  DType::u64};
  const auto* found =
      std::find_if(std::begin(kAll), std::end(kAll), [&](DType d) { return name_of(d) == name; });
  return found == std::end(kAll) ? nullptr : found;
}

struct Entry {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;
};

Entry read_entry(const fs::path& path, const std::string& name, const json& value) {
  const auto require = [&](bool good, const std::string& what) {
    SCOREACT_REQUIRE(good, ExitCode::data, "{}: tensor '{}': {}", path.string(), name, what);
  };
  require(value.is_object() && value.contains("dtype") && value.contains("shape") &&
              value.contains("data_offsets"),
          "expected {dtype, shape, data_offsets}");
  const json& dtype = value["dtype"];
  const json& shape = value["shape"];
  const json& offsets = value["data_offsets"];
  require(dtype.is_string(), "dtype is not a string");
  const DType* known = find_dtype(dtype.get<std::string>());
  require(known != nullptr, "dtype '" + dtype.get<std::string>() + "' is not one that scoreact reads");
  require(shape.is_array() &&
              std::all_of(shape.begin(), shape.end(), [](const json& n) { return n.is_number_unsigned(); }),
          "shape is not a list of non-negative integers");
  require(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() &&
              offsets[1].is_number_unsigned(),
          "data_offsets are not two non-negative integers");

  Entry entry{name, *known, {}, offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
  require(entry.begin <= entry.end,
          fmt::format("data_offsets [{}, {}] run backwards", entry.begin, entry.end));
  std::uint64_t bytes = size_of(entry.dtype);
  bool empty = false;
  for (const json& extent : shape) {
    const auto n = extent.get<std::uint64_t>();
    require(n <= static_cast<std::uint64_t>(INT64_MAX), fmt::format("extent {} is too large", n));
    empty = empty || n == 0;
    // the product is checked without the zeros, so that [0, 2^62, 2^62] is refused too, as by the Rust reader
    require(n == 0 || !__builtin_mul_overflow(bytes, n, &bytes), "number of elements overflows");
    entry.shape.push_back(static_cast<std::int64_t>(n));
  }
  const std::uint64_t expected = empty ? 0 : bytes;
  require(entry.end - entry.begin == expected,
          fmt::format("{} of shape {} needs {} bytes, data_offsets [{}, {}] give {}", name_of(entry.dtype),
                      shape.dump(), expected, entry.begin, entry.end, entry.end - entry.begin));
  return entry;
}

} // namespace

struct SafetensorsFile::Content {
  explicit Content(const fs::path& file) : path(file), mapping(file) {}
  fs::path path;
  MappedFile mapping;
  std::vector<std::string> names;
  std::unordered_map<std::string, ArrayView> arrays;
  std::map<std::string, std::string> metadata;
  std::vector<std::unique_ptr<std::uint64_t[]>> aligned_copies; // of tensors that lie askew in the file
};

SafetensorsFile::SafetensorsFile(const fs::path& path) : content_(std::make_unique<Content>(path)) {
  const MappedFile& mapping = content_->mapping;
  const std::string file = path.string();
  SCOREACT_REQUIRE(mapping.size() >= 8, ExitCode::data, "{}: {} bytes are too few for a safetensors file",
                   file, mapping.size());
  std::uint64_t length = 0;
  std::memcpy(&length, mapping.data(), sizeof(length));
  SCOREACT_REQUIRE(
      length <= kMaxHeader && length <= mapping.size() - 8, ExitCode::data,
      "{}: header of {} bytes does not fit (file {} bytes, limit {}); not a safetensors file or cut off",
      file, length, mapping.size(), kMaxHeader);
  const char* const begin = mapping.data() + 8;
  SCOREACT_REQUIRE(length > 0 && *begin == '{', ExitCode::data, "{}: header does not start with '{{'", file);
  const json header =
      parse_json({begin, static_cast<std::size_t>(length)}, file + ": header", {kMaxDepth, true});
  SCOREACT_REQUIRE(header.is_object(), ExitCode::data, "{}: header is not a JSON object", file);

  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(read_entry(path, name, value));
      continue;
    }
    SCOREACT_REQUIRE(value.is_object(), ExitCode::data, "{}: __metadata__ is not an object", file);
    for (const auto& [key, text] : value.items()) {
      SCOREACT_REQUIRE(text.is_string(), ExitCode::data, "{}: __metadata__ '{}' is not a string", file, key);
      content_->metadata.emplace(key, text.get<std::string>());
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });

  const char* const data = begin + length;
  const std::uint64_t available = mapping.size() - 8 - length;
  std::uint64_t covered = 0;
  for (const Entry& entry : entries) {
    SCOREACT_REQUIRE(entry.begin == covered, ExitCode::data,
                     "{}: tensor '{}': begins at byte {}, expected {} ({})", file, entry.name, entry.begin,
                     covered, entry.begin < covered ? "overlap" : "hole");
    SCOREACT_REQUIRE(entry.end <= available, ExitCode::data,
                     "{}: tensor '{}': ends at byte {} of {}; the file is cut off", file, entry.name,
                     entry.end, available);
    covered = entry.end;
    const char* where = data + entry.begin;
    const std::size_t bytes = entry.end - entry.begin;
    if (bytes > 0 && reinterpret_cast<std::uintptr_t>(where) % size_of(entry.dtype) != 0) {
      auto copy = std::make_unique<std::uint64_t[]>((bytes + 7) / 8);
      std::memcpy(copy.get(), where, bytes);
      where = reinterpret_cast<const char*>(copy.get());
      content_->aligned_copies.push_back(std::move(copy));
    }
    content_->names.push_back(entry.name);
    content_->arrays.emplace(entry.name, ArrayView{entry.dtype, entry.shape, bytes > 0 ? where : nullptr});
  }
  SCOREACT_REQUIRE(covered == available, ExitCode::data, "{}: {} bytes after the last tensor belong to none",
                   file, available - covered);
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::vector<std::string>& SafetensorsFile::names() const { return content_->names; }
bool SafetensorsFile::contains(const std::string& name) const { return content_->arrays.contains(name); }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const { return content_->metadata; }
const fs::path& SafetensorsFile::path() const { return content_->path; }

ArrayView SafetensorsFile::at(const std::string& name) const {
  const auto found = content_->arrays.find(name);
  SCOREACT_REQUIRE(found != content_->arrays.end(), ExitCode::data, "{}: no tensor '{}' among its {}",
                   content_->path.string(), name, content_->names.size());
  return found->second;
}

void write_safetensors(const fs::path& path, const std::vector<NamedArray>& arrays,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedArray*> order;
  for (const NamedArray& array : arrays)
    order.push_back(&array);
  std::sort(order.begin(), order.end(), [](const NamedArray* a, const NamedArray* b) {
    return a->array.dtype != b->array.dtype ? a->array.dtype > b->array.dtype : a->name < b->name;
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const NamedArray* entry : order) {
    const std::uint64_t end = offset + entry->array.bytes();
    SCOREACT_REQUIRE(!header.contains(entry->name), ExitCode::internal, "{}: tensor '{}' given twice",
                     path.string(), entry->name);
    header[entry->name] = {{"dtype", name_of(entry->array.dtype)},
                           {"shape", entry->array.shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();

  write_atomically(path, [&](const ByteSink& sink) {
    sink(std::as_bytes(std::span(&length, 1)));
    sink(std::as_bytes(std::span(text.data(), text.size())));
    for (const NamedArray* entry : order) {
      sink(std::span(static_cast<const std::byte*>(entry->array.data), entry->array.bytes()));
    }
  });
}

} // namespace scoreact
