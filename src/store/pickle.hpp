#pragma once
/// The part of Python's pickle format (protocols 2 to 4, Lib/pickletools.py) that files of weights need, and
/// no more of it. A pickle is a program that may call anything; this reader calls nothing. It knows a few
/// names (kAllowed in pickle.cpp) as marks, and refuses a file that asks for any other by that name. Values
/// lie in one arena, so what refers to itself or is nested without end costs no stack and no more memory than
/// a multiple of the pickle's size, of which 64 MiB are read.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace scoreact {

/// 0x1950a86a20f9469cfc6c, little endian: files of torch < 1.6 begin with a pickle of it.
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// A value of a pickle. Values refer to each other by pointers into the arena of the Pickle.
struct PickleValue {
  enum class Kind {
    none,
    boolean, ///< integer 0 or 1
    integer,
    number,
    text,   ///< also bytes
    list,   ///< items
    tuple,  ///< items
    dict,   ///< pairs, in the order in which they were set; also collections.OrderedDict
    global, ///< text: "module name", one of the allowed
    call,   ///< items: the global and the tuple of its arguments; nothing is called
    storage ///< items: the tuple of a persistent id
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0; ///< larger ones than 64 bits are refused, but for the magic number above
  double number = 0;
  std::string text;
  std::vector<const PickleValue*> items;
  std::vector<std::pair<const PickleValue*, const PickleValue*>> pairs;

  bool is(Kind other) const { return kind == other; }
  /// pairs[key] of a dict, null if there is none. The last one counts if a key was set twice, as in Python.
  const PickleValue* find(const std::string& key) const;
};

/// "a dict", "the integer 3": for messages.
std::string described(const PickleValue& value);

class Pickle {
 public:
  /// Reads one pickle from the start of `bytes`. `origin` begins messages. Throws Error{data} for what is cut
  /// off or malformed, for an opcode that weights don't need, and for a name that isn't allowed.
  Pickle(std::span<const std::byte> bytes, const std::string& origin);
  Pickle(Pickle&&) = default;
  Pickle(const Pickle&) = delete; // values point to each other
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }
  /// All values of kind storage, whether the root leads to them or not.
  std::vector<const PickleValue*> storages() const;
  std::size_t bytes_read() const { return bytes_read_; } ///< another pickle may follow
  /// Whether the root is that number.
  bool is_legacy_magic() const;

 private:
  friend class PickleMachine;
  std::deque<PickleValue> arena_;
  const PickleValue* root_ = nullptr;
  std::size_t bytes_read_ = 0;
};

} // namespace scoreact
