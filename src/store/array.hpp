#pragma once
/// A view of an array of numbers in host memory, C order, little endian, with its type told at run time. It
/// is what files read and write; tensors become one in src/bridge. The enumerators stand in the order of the
/// safetensors writer, narrowest first, because that order decides where a tensor lies in a file
/// (src/store/safetensors.hpp).
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace scoreact {

enum class DType { boolean, u8, i8, i16, u16, f16, bf16, i32, u32, f32, f64, i64, u64 };

/// Bytes of one element.
std::size_t size_of(DType dtype);

/// The safetensors spelling: "F32", "BF16", "BOOL", ...
std::string_view name_of(DType dtype);

/// Does not own the memory; data is null only if there are no elements.
struct ArrayView {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape; ///< [] for a scalar
  const void* data = nullptr;

  /// Elements. Shapes are taken as valid: no negative extent.
  std::int64_t numel() const;
  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype); }
};

struct NamedArray {
  std::string name;
  ArrayView array;
};

} // namespace scoreact
