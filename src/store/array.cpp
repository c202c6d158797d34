#include "store/array.hpp"

#include <array>

namespace scoreact {

namespace {

struct DTypeFacts {
  std::size_t bytes;
  std::string_view name;
};

constexpr std::array<DTypeFacts, 13> kFacts{{{1, "BOOL"},
                                             {1, "U8"},
                                             {1, "I8"},
                                             {2, "I16"},
                                             {2, "U16"},
                                             {2, "F16"},
                                             {2, "BF16"},
                                             {4, "I32"},
                                             {4, "U32"},
                                             {4, "F32"},
                                             {8, "F64"},
                                             {8, "I64"},
                                             {8, "U64"}}};

} // namespace

std::size_t size_of(DType dtype) { return kFacts[static_cast<std::size_t>(dtype)].bytes; }

std::string_view name_of(DType dtype) { return kFacts[static_cast<std::size_t>(dtype)].name; }

std::int64_t ArrayView::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape)
    product *= extent;
  return product;
}

} // namespace scoreact
