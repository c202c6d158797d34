#include "store/torch_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "error/error.hpp"
#include "store/mapped_file.hpp"
#include "store/pickle.hpp"
#include "store/zip_archive.hpp"

namespace scoreact {
namespace {

namespace fs = std::filesystem;
using Kind = PickleValue::Kind;

/// A view of more elements than its storage repeats some of them; further ones would be a trap.
constexpr std::int64_t kLargestRepeat = std::int64_t{1} << 24;

struct StorageType {
  std::string_view global;
  DType dtype;
};

constexpr std::array kStorageTypes = {
    StorageType{"torch FloatStorage", DType::f32},     StorageType{"torch HalfStorage", DType::f16},
    StorageType{"torch BFloat16Storage", DType::bf16}, StorageType{"torch DoubleStorage", DType::f64},
    StorageType{"torch LongStorage", DType::i64},      StorageType{"torch IntStorage", DType::i32},
    StorageType{"torch ShortStorage", DType::i16},     StorageType{"torch CharStorage", DType::i8},
    StorageType{"torch ByteStorage", DType::u8},       StorageType{"torch BoolStorage", DType::boolean},
};

using Bytes = std::span<const std::byte>;

/// A storage as a tensor names it: which one, of what type, how many elements.
struct StorageId {
  std::string key;
  DType dtype = DType::f32;
  std::int64_t elements = 0;
};

std::uint64_t bytes_of(const StorageId& storage) {
  return static_cast<std::uint64_t>(storage.elements) * size_of(storage.dtype);
}

struct Tensor {
  StorageId storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape, strides;
};

/// Makes tensors out of the values of a pickle. Messages begin with the file's name.
class TensorReader {
 public:
  explicit TensorReader(std::string file) : file_(std::move(file)) {}

  /// What a call of torch._utils describes, or nothing if the value is no tensor.
  std::optional<Tensor> tensor(const PickleValue& value, const std::string& name) const {
    if (!value.is(Kind::call)) {
      return std::nullopt;
    }
    const PickleValue& callee = *value.items[0];
    const std::vector<const PickleValue*>& arguments = value.items[1]->items;
    if (callee.text == "torch._utils _rebuild_parameter") {
      // (tensor, requires_grad, hooks); the tensor is no parameter in its turn, so this ends
      require(arguments.size() == 3 && is_plain_tensor(*arguments[0]), name, "a parameter without a tensor");
      return tensor(*arguments[0], name);
    }
    if (!is_plain_tensor(value)) {
      return std::nullopt;
    }
    // (storage, offset, size, stride[, requires_grad, hooks[, metadata]])
    require(arguments.size() >= 4 && arguments.size() <= 7, name, "a tensor of another form");
    Tensor result;
    result.storage = storage(*arguments[0], name);
    result.offset = count(*arguments[1], name, "its offset");
    result.shape = counts(*arguments[2], name, "its size");
    result.strides = counts(*arguments[3], name, "its stride");
    require(result.shape.size() == result.strides.size(), name, "size and stride of different lengths");
    return result;
  }

  StorageId storage(const PickleValue& value, const std::string& name) const {
    require(value.is(Kind::storage) && value.items[0]->is(Kind::tuple), name, "a tensor without a storage");
    // ('storage', type, key, location, elements[, view]); what it was a view of stands only in files of torch
    // < 0.4
    const std::vector<const PickleValue*>& id = value.items[0]->items;
    require(id.size() >= 5 && id.size() <= 6 && id[0]->text == "storage" && id[2]->is(Kind::text), name,
            "a storage of another form");
    require(id.size() == 5 || id[5]->is(Kind::none), name, "a view of a storage, as torch < 0.4 wrote it");
    const auto type = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                   [&](const StorageType& known) { return known.global == id[1]->text; });
    require(id[1]->is(Kind::global) && type != kStorageTypes.end(), name, "a storage of an unknown type");
    const std::int64_t elements = count(*id[4], name, "its storage");
    require(elements < INT64_MAX / 8, name, "its storage is too large");
    return {id[2]->text, type->dtype, elements};
  }

  void require(bool good, const std::string& name, std::string_view what) const {
    SCOREACT_REQUIRE(good, ExitCode::data, "{}: tensor '{}': {}", file_, name, what);
  }

 private:
  static bool is_plain_tensor(const PickleValue& value) {
    return value.is(Kind::call) && (value.items[0]->text == "torch._utils _rebuild_tensor_v2" ||
                                    value.items[0]->text == "torch._utils _rebuild_tensor");
  }

  std::int64_t count(const PickleValue& value, const std::string& name, const char* what) const {
    SCOREACT_REQUIRE(value.is(Kind::integer) && value.integer >= 0 && value.text.empty(), ExitCode::data,
                     "{}: tensor '{}': {}: expected an integer from 0 on, found {}", file_, name, what,
                     described(value));
    return value.integer;
  }

  std::vector<std::int64_t> counts(const PickleValue& value, const std::string& name,
                                   const char* what) const {
    // torch.Size((2, 3)) is a call, whose argument is the tuple
    const bool size =
        value.is(Kind::call) && value.items[0]->text == "torch Size" && value.items[1]->items.size() == 1;
    const PickleValue& tuple = size ? *value.items[1]->items[0] : value;
    SCOREACT_REQUIRE((tuple.is(Kind::tuple) || tuple.is(Kind::list)) && tuple.items.size() <= 64,
                     ExitCode::data, "{}: tensor '{}': {}: expected a tuple of integers, found {}", file_,
                     name, what, described(tuple));
    std::vector<std::int64_t> numbers;
    for (const PickleValue* item : tuple.items) {
      numbers.push_back(count(*item, name, what));
    }
    return numbers;
  }

  std::string file_;
};

/// The dict of tensors in what was saved.
const PickleValue& state_dict(const PickleValue& root, const TensorReader& reader, const std::string& file) {
  const auto holds_tensors = [&](const PickleValue& value) {
    return value.is(Kind::dict) && std::any_of(value.pairs.begin(), value.pairs.end(), [&](const auto& pair) {
             return pair.second->is(Kind::call) && reader.tensor(*pair.second, "").has_value();
           });
  };
  SCOREACT_REQUIRE(root.is(Kind::dict), ExitCode::data, "{}: expected a dict of tensors, found {}", file,
                   described(root));
  if (holds_tensors(root) || root.pairs.empty()) {
    return root;
  }
  if (const PickleValue* named = root.find("state_dict"); named != nullptr && holds_tensors(*named)) {
    return *named;
  }
  const PickleValue* only = nullptr;
  std::string keys;
  for (const auto& [key, value] : root.pairs) {
    if (holds_tensors(*value)) {
      SCOREACT_REQUIRE(
          only == nullptr, ExitCode::data,
          "{}: expected a dict of tensors, found one with several of them, none under 'state_dict'", file);
      only = value;
    }
    if (keys.size() < 60 && key->is(Kind::text)) {
      keys += (keys.empty() ? "" : ", ") + key->text.substr(0, 20);
    }
  }
  SCOREACT_REQUIRE(only != nullptr, ExitCode::data, "{}: expected a dict of tensors, found one of {}", file,
                   keys);
  return *only;
}

/// Elements from the first to the last that the tensor reaches, so that it can be held against its storage;
/// nothing if it has no elements. Throws for what no tensor of this size can be.
std::optional<std::int64_t> reach(const Tensor& tensor, const std::string& name, const TensorReader& reader) {
  std::int64_t last = tensor.offset, elements = 1;
  bool fits = true;
  const bool empty = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    std::int64_t step = 0;
    const std::int64_t extent = std::max<std::int64_t>(tensor.shape[d], 1);
    fits = fits && !__builtin_mul_overflow(elements, extent, &elements) &&
           !__builtin_mul_overflow(extent - 1, tensor.strides[d], &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  reader.require(fits, name, "its size overflows");
  reader.require(elements <= std::max(tensor.storage.elements, kLargestRepeat), name,
                 "it repeats its storage too often");
  return empty ? std::nullopt : std::optional(last);
}

} // namespace

struct TorchFile::Content {
  explicit Content(fs::path file) : path(std::move(file)), reader(path.string()) {}

  void read_zip();
  void read_legacy();
  void take_tensors(const PickleValue& root);
  /// The bytes of a storage, aligned for its type.
  Bytes aligned(Bytes bytes, std::size_t alignment);
  void attach(const std::string& name, Bytes bytes);

  fs::path path;
  TensorReader reader;
  std::optional<ZipArchive> zip;
  std::optional<MappedFile> mapping;
  std::vector<std::string> names;
  std::unordered_map<std::string, Tensor> tensors;
  std::unordered_map<std::string, StridedArray> arrays;
  std::map<const std::byte*, std::unique_ptr<std::uint64_t[]>> aligned_copies; ///< by where the original lies
};

void TorchFile::Content::take_tensors(const PickleValue& root) {
  std::unordered_map<std::string, StorageId> storages;
  for (const auto& [key, value] : state_dict(root, reader, path.string()).pairs) {
    const std::string name = key->is(Kind::text) ? key->text : described(*key);
    std::optional<Tensor> tensor = reader.tensor(*value, name);
    if (!tensor) {
      continue;
    }
    reader.require(key->is(Kind::text), name, "expected a name for it");
    const StorageId& known = storages.try_emplace(tensor->storage.key, tensor->storage).first->second;
    reader.require(known.dtype == tensor->storage.dtype && known.elements == tensor->storage.elements, name,
                   "its storage is described in two ways");
    if (tensors.insert_or_assign(name, std::move(*tensor)).second) {
      names.push_back(name);
    }
  }
}

Bytes TorchFile::Content::aligned(Bytes bytes, std::size_t alignment) {
  if (bytes.empty() || reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0) {
    return bytes;
  }
  std::unique_ptr<std::uint64_t[]>& copy = aligned_copies[bytes.data()];
  if (copy == nullptr) {
    copy = std::make_unique<std::uint64_t[]>((bytes.size() + 7) / 8);
    std::memcpy(copy.get(), bytes.data(), bytes.size());
  }
  return {reinterpret_cast<const std::byte*>(copy.get()), bytes.size()};
}

/// `bytes`: of the tensor's storage.
void TorchFile::Content::attach(const std::string& name, Bytes bytes) {
  const Tensor& tensor = tensors.at(name);
  const std::size_t width = size_of(tensor.storage.dtype);
  reader.require(
      bytes.size() == bytes_of(tensor.storage), name,
      fmt::format("its storage has {} bytes, expected {}", bytes.size(), bytes_of(tensor.storage)));
  StridedArray array{tensor.storage.dtype, tensor.shape, tensor.strides, nullptr};
  if (const std::optional<std::int64_t> last = reach(tensor, name, reader)) {
    reader.require(*last < tensor.storage.elements, name,
                   fmt::format("it reaches element {} of a storage of {}", *last, tensor.storage.elements));
    array.data = aligned(bytes, width).data() + static_cast<std::size_t>(tensor.offset) * width;
  }
  arrays.emplace(name, std::move(array));
}

void TorchFile::Content::read_zip() {
  zip.emplace(path);
  const std::string file = path.string();
  const std::string_view suffix = "/data.pkl";
  std::string folder;
  for (const std::string& name : zip->names()) {
    SCOREACT_REQUIRE(!name.ends_with("/constants.pkl"), ExitCode::data,
                     "{}: expected a state dict, found a TorchScript archive", file);
    // the top folder's only; the archive is named after the file that was written first
    if (name.ends_with(suffix) && name.find('/') == name.size() - suffix.size()) {
      SCOREACT_REQUIRE(folder.empty(), ExitCode::data, "{}: two data.pkl in it", file);
      folder = name.substr(0, name.size() - suffix.size() + 1);
    }
  }
  SCOREACT_REQUIRE(!folder.empty(), ExitCode::data,
                   "{}: expected a file of torch.save, found a zip archive without data.pkl", file);
  if (zip->contains(folder + "byteorder")) {
    const Bytes order = zip->read(folder + "byteorder");
    SCOREACT_REQUIRE(std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) == "little",
                     ExitCode::data, "{}: expected numbers in little-endian order", file);
  }
  const Pickle pickle(zip->read(folder + "data.pkl"), file);
  take_tensors(pickle.root());
  std::unordered_map<std::string, Bytes> storages; // read once: a checksum is computed each time
  for (const std::string& name : names) {
    const std::string& key = tensors.at(name).storage.key;
    const auto known = storages.find(key);
    attach(name, known != storages.end()
                     ? known->second
                     : storages.emplace(key, zip->read(folder + "data/" + key)).first->second);
  }
}

/// Pickles in a row: magic number, protocol, system, object, keys; then per key a count and the numbers.
void TorchFile::Content::read_legacy() {
  mapping.emplace(path);
  const std::string file = path.string();
  Bytes rest(reinterpret_cast<const std::byte*>(mapping->data()), mapping->size());
  const auto next = [&] {
    Pickle pickle(rest, file);
    rest = rest.subspan(pickle.bytes_read());
    return pickle;
  };
  SCOREACT_REQUIRE(next().is_legacy_magic(), ExitCode::data,
                   "{}: expected a file of torch.save, found another pickle", file);
  const Pickle protocol = next();
  SCOREACT_REQUIRE(protocol.root().is(Kind::integer) && protocol.root().integer == 1001, ExitCode::data,
                   "{}: expected version 1001 of torch.save's format, found {}", file,
                   described(protocol.root()));
  const Pickle system = next();
  const PickleValue* little = system.root().find("little_endian");
  SCOREACT_REQUIRE(little != nullptr && little->is(Kind::boolean) && little->integer == 1, ExitCode::data,
                   "{}: expected numbers in little-endian order", file);
  const Pickle object = next();
  take_tensors(object.root());
  const Pickle keys = next();
  SCOREACT_REQUIRE(keys.root().is(Kind::list), ExitCode::data, "{}: expected a list of storages, found {}",
                   file, described(keys.root()));

  std::unordered_map<std::string, StorageId> storages; // with those that no tensor of the state dict uses
  for (const PickleValue* value : object.storages()) {
    StorageId id = reader.storage(*value, "(some)");
    storages.try_emplace(id.key, id);
  }
  std::unordered_map<std::string, Bytes> numbers;
  for (const PickleValue* key : keys.root().items) {
    const auto found = storages.find(key->text);
    SCOREACT_REQUIRE(found != storages.end(), ExitCode::data, "{}: a storage in it belongs to no tensor",
                     file);
    const std::uint64_t size = bytes_of(found->second);
    std::int64_t count = -1;
    if (rest.size() >= sizeof(count)) {
      std::memcpy(&count, rest.data(), sizeof(count));
    }
    SCOREACT_REQUIRE(count == found->second.elements && rest.size() - sizeof(count) >= size, ExitCode::data,
                     "{}: a storage of {} numbers is not there; the file is cut off or damaged", file,
                     found->second.elements);
    numbers.emplace(key->text, rest.subspan(sizeof(count), size));
    rest = rest.subspan(sizeof(count) + size);
  }
  for (const std::string& name : names) {
    const auto found = numbers.find(tensors.at(name).storage.key);
    reader.require(found != numbers.end(), name, "no numbers for it in the file");
    attach(name, found->second);
  }
}

TorchFile::TorchFile(const fs::path& path) : content_(std::make_unique<Content>(path)) {
  if (ZipArchive::recognises(path)) {
    content_->read_zip();
  } else {
    content_->read_legacy();
  }
}

TorchFile::~TorchFile() = default;
TorchFile::TorchFile(TorchFile&&) noexcept = default;
TorchFile& TorchFile::operator=(TorchFile&&) noexcept = default;

bool TorchFile::recognises(const fs::path& path) {
  std::array<char, 32> start{}; // the magic number stands behind the opcodes PROTO, FRAME and LONG1
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  const bool pickle = start[0] == '\x80' && std::string_view(start.data(), start.size()).find(kLegacyMagic) !=
                                                std::string_view::npos;
  return pickle || ZipArchive::recognises(path);
}

const std::vector<std::string>& TorchFile::names() const { return content_->names; }
const fs::path& TorchFile::path() const { return content_->path; }

const StridedArray& TorchFile::at(const std::string& name) const {
  const auto found = content_->arrays.find(name);
  SCOREACT_REQUIRE(found != content_->arrays.end(), ExitCode::data, "{}: no tensor '{}' among its {}",
                   content_->path.string(), name, content_->names.size());
  return found->second;
}

} // namespace scoreact
