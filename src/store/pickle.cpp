#include "store/pickle.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "error/error.hpp"

namespace scoreact {
namespace {

using Kind = PickleValue::Kind;

/// All names that a file may use, as "module name". What each stands for: src/store/torch_file.cpp.
constexpr std::array kAllowed = {
    std::string_view("collections OrderedDict"),
    std::string_view("torch._utils _rebuild_tensor"),
    std::string_view("torch._utils _rebuild_tensor_v2"),
    std::string_view("torch._utils _rebuild_parameter"),
    std::string_view("torch Size"),
    std::string_view("torch BFloat16Storage"),
    std::string_view("torch BoolStorage"),
    std::string_view("torch ByteStorage"),
    std::string_view("torch CharStorage"),
    std::string_view("torch DoubleStorage"),
    std::string_view("torch FloatStorage"),
    std::string_view("torch HalfStorage"),
    std::string_view("torch IntStorage"),
    std::string_view("torch LongStorage"),
    std::string_view("torch ShortStorage"),
};

constexpr std::size_t kLongestName = 200;
constexpr std::size_t kLargest = std::size_t{64} << 20; // bytes; a thousand times what a network's names need

} // namespace

/// The stack machine. One per pickle; its results go to the arena.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, const std::string& origin, std::deque<PickleValue>& arena)
      : bytes_(bytes), origin_(origin), arena_(arena) {}

  const PickleValue* run() {
    while (true) {
      const std::size_t at = at_;
      const auto opcode = static_cast<unsigned char>(take(1)[0]);
      if (opcode == '.') {
        const PickleValue* root = pop();
        require(marks_.empty() && stack_.empty(), "values are left over at its end");
        return root;
      }
      step(opcode, at);
    }
  }
  std::size_t at() const { return at_; }

 private:
  void require(bool good, std::string_view what) const {
    SCOREACT_REQUIRE(good, ExitCode::data, "{}: pickle: {} (byte {})", origin_, what, at_);
  }

  // bytes
  std::string_view take(std::uint64_t length) {
    require(length <= bytes_.size() - at_, "cut off");
    const char* begin = reinterpret_cast<const char*>(bytes_.data()) + at_;
    at_ += length;
    return {begin, static_cast<std::size_t>(length)};
  }
  template <class T> T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_, bytes_.size() - at_);
    const std::size_t end = rest.substr(0, kLongestName).find('\n');
    require(end != std::string_view::npos, "a name without end");
    at_ += end + 1;
    return std::string(rest.substr(0, end));
  }

  // values
  PickleValue& make(Kind kind) {
    arena_.emplace_back();
    arena_.back().kind = kind;
    return arena_.back();
  }
  void push(PickleValue& value) { stack_.push_back(&value); }
  void push_integer(std::int64_t integer, Kind kind = Kind::integer) {
    PickleValue& value = make(kind);
    value.integer = integer;
    push(value);
  }
  void push_text(std::string_view text) {
    PickleValue& value = make(Kind::text);
    value.text = text;
    push(value);
  }
  PickleValue* pop() {
    require(stack_.size() > floor(), "a value is missing on the stack");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleValue& top() {
    require(stack_.size() > floor(), "a value is missing on the stack");
    return *stack_.back();
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<PickleValue*> pop_to_mark() {
    require(!marks_.empty(), "a mark is missing on the stack");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleValue*> values(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return values;
  }
  void push_tuple(std::size_t size) {
    PickleValue& tuple = make(Kind::tuple);
    tuple.items.resize(size);
    for (std::size_t n = size; n > 0; --n) {
      tuple.items[n - 1] = pop();
    }
    push(tuple);
  }
  void set_items(PickleValue& dict, const std::vector<PickleValue*>& values) const {
    require(dict.is(Kind::dict) && values.size() % 2 == 0, "items of something that is no dict");
    for (std::size_t n = 0; n < values.size(); n += 2) {
      dict.pairs.emplace_back(values[n], values[n + 1]);
    }
  }
  void append(PickleValue& list, const std::vector<PickleValue*>& values) const {
    require(list.is(Kind::list), "items of something that is no list");
    list.items.insert(list.items.end(), values.begin(), values.end());
  }

  /// Little-endian two's complement.
  void push_long(std::uint64_t length) {
    const std::string_view digits = take(length);
    PickleValue& value = make(Kind::integer);
    if (length > 8) {
      require(digits == kLegacyMagic, "an integer of more than 64 bits");
      value.text = digits;
    } else if (length > 0) {
      std::uint64_t bits = static_cast<signed char>(digits.back()) < 0 ? ~std::uint64_t{0} : 0;
      std::memcpy(&bits, digits.data(), digits.size());
      value.integer = static_cast<std::int64_t>(bits);
    }
    push(value);
  }

  void push_global(const std::string& module, const std::string& name, std::size_t at) {
    PickleValue& value = make(Kind::global);
    value.text = module + " " + name;
    SCOREACT_REQUIRE(
        std::find(kAllowed.begin(), kAllowed.end(), value.text) != kAllowed.end(), ExitCode::data,
        "{}: pickle: {}.{} is not allowed (byte {}): expected tensors and what they consist of; a "
        "file that names anything else may run code where Python loads it",
        origin_, printable(module), printable(name), at);
    push(value);
  }
  static std::string printable(const std::string& text) {
    std::string shown;
    for (const char c : text.substr(0, kLongestName)) {
      shown += c >= 0x20 && c < 0x7F ? c : '?';
    }
    return shown;
  }

  /// A call of an allowed name. OrderedDict is made at once; the others stay as they are.
  void reduce() {
    PickleValue* arguments = pop();
    PickleValue* callee = pop();
    require(callee->is(Kind::global) && arguments->is(Kind::tuple), "a call of something that is no name");
    if (callee->text == "collections OrderedDict") {
      require(arguments->items.empty(), "an OrderedDict with arguments");
      push(make(Kind::dict));
      return;
    }
    PickleValue& call = make(Kind::call);
    call.items = {callee, arguments};
    push(call);
  }

  /// State of an object. An OrderedDict's holds `_metadata` of torch.nn.Module, which weights don't need.
  void build() {
    pop();
    require(top().is(Kind::dict), "a state of something that is no OrderedDict");
  }

  void memoize(std::uint64_t index) { memo_[index] = &top(); }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    require(found != memo_.end(), "a value that was never remembered");
    stack_.push_back(found->second);
  }

  void step(unsigned char opcode, std::size_t at);

  std::span<const std::byte> bytes_;
  const std::string& origin_;
  std::deque<PickleValue>& arena_;
  std::size_t at_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_; ///< heights of the stack
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

void PickleMachine::step(unsigned char opcode, std::size_t at) {
  switch (opcode) {
  case 0x80: { // PROTO
    const auto protocol = number<std::uint8_t>();
    require(protocol >= 2 && protocol <= 5, "expected protocol 2 to 5");
    break;
  }
  case 0x95: // FRAME: only a hint how much to read at once
    take(8);
    break;
  case '(':
    marks_.push_back(stack_.size());
    break;
  case '0':
    pop();
    break;
  case 'N':
    push(make(Kind::none));
    break;
  case 0x88:
    push_integer(1, Kind::boolean);
    break;
  case 0x89:
    push_integer(0, Kind::boolean);
    break;
  case 'J':
    push_integer(number<std::int32_t>());
    break;
  case 'K':
    push_integer(number<std::uint8_t>());
    break;
  case 'M':
    push_integer(number<std::uint16_t>());
    break;
  case 0x8A: // LONG1
    push_long(number<std::uint8_t>());
    break;
  case 'G': { // BINFLOAT, big endian
    PickleValue& value = make(Kind::number);
    value.number = std::bit_cast<double>(__builtin_bswap64(number<std::uint64_t>()));
    push(value);
    break;
  }
  case 'X': // BINUNICODE
    push_text(take(number<std::uint32_t>()));
    break;
  case 0x8C: // SHORT_BINUNICODE
  case 'U':  // SHORT_BINSTRING, of Python 2
  case 'C':  // SHORT_BINBYTES
    push_text(take(number<std::uint8_t>()));
    break;
  case 'T': // BINSTRING, of Python 2
  case 'B': // BINBYTES
    push_text(take(number<std::uint32_t>()));
    break;
  case '}':
    push(make(Kind::dict));
    break;
  case ']':
    push(make(Kind::list));
    break;
  case ')':
    push_tuple(0);
    break;
  case 0x85:
  case 0x86:
  case 0x87:
    push_tuple(opcode - 0x84U);
    break;
  case 't': {
    const std::vector<PickleValue*> values = pop_to_mark();
    PickleValue& tuple = make(Kind::tuple);
    tuple.items.assign(values.begin(), values.end());
    push(tuple);
    break;
  }
  case 'a': {
    PickleValue* item = pop();
    append(top(), {item});
    break;
  }
  case 'e': {
    const std::vector<PickleValue*> values = pop_to_mark();
    append(top(), values);
    break;
  }
  case 's': {
    PickleValue* value = pop();
    PickleValue* key = pop();
    set_items(top(), {key, value});
    break;
  }
  case 'u': {
    const std::vector<PickleValue*> values = pop_to_mark();
    set_items(top(), values);
    break;
  }
  case 'q':
    memoize(number<std::uint8_t>());
    break;
  case 'r':
    memoize(number<std::uint32_t>());
    break;
  case 0x94: // MEMOIZE
    memoize(memo_.size());
    break;
  case 'h':
    recall(number<std::uint8_t>());
    break;
  case 'j':
    recall(number<std::uint32_t>());
    break;
  case 'c': {
    const std::string module = line();
    push_global(module, line(), at);
    break;
  }
  case 0x93: { // STACK_GLOBAL
    PickleValue* name = pop();
    PickleValue* module = pop();
    require(name->is(Kind::text) && module->is(Kind::text), "a name that is no text");
    push_global(module->text, name->text, at);
    break;
  }
  case 'Q': { // BINPERSID: torch keeps a tensor's numbers outside of the pickle
    PickleValue* id = pop();
    PickleValue& storage = make(Kind::storage);
    storage.items = {id};
    push(storage);
    break;
  }
  case 'R':
    reduce();
    break;
  case 'b':
    build();
    break;
  default:
    SCOREACT_FAIL(ExitCode::data, "{}: pickle: opcode 0x{:02x} (byte {}), which files of weights don't need",
                  origin_, opcode, at);
  }
}

const PickleValue* PickleValue::find(const std::string& key) const {
  const auto found = std::find_if(pairs.rbegin(), pairs.rend(), [&key](const auto& pair) {
    return pair.first->is(Kind::text) && pair.first->text == key;
  });
  return found == pairs.rend() ? nullptr : found->second;
}

std::string described(const PickleValue& value) {
  switch (value.kind) {
  case Kind::none:
    return "None";
  case Kind::boolean:
    return value.integer != 0 ? "True" : "False";
  case Kind::integer:
    return fmt::format("the integer {}", value.integer);
  case Kind::number:
    return fmt::format("the number {}", value.number);
  case Kind::text:
    return "a string";
  case Kind::list:
    return "a list";
  case Kind::tuple:
    return "a tuple";
  case Kind::dict:
    return "a dict";
  case Kind::global:
    return value.text;
  case Kind::call:
    return value.items[0]->text + "(...)";
  case Kind::storage:
    return "a storage";
  }
  return "";
}

Pickle::Pickle(std::span<const std::byte> bytes, const std::string& origin) {
  PickleMachine machine(bytes.first(std::min(bytes.size(), kLargest)), origin, arena_);
  root_ = machine.run();
  bytes_read_ = machine.at();
}

std::vector<const PickleValue*> Pickle::storages() const {
  std::vector<const PickleValue*> found;
  for (const PickleValue& value : arena_) {
    if (value.is(Kind::storage)) {
      found.push_back(&value);
    }
  }
  return found;
}

bool Pickle::is_legacy_magic() const { return root_->is(Kind::integer) && root_->text == kLegacyMagic; }

} // namespace scoreact
