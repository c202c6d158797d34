// The two shapes that cross the border of the kernels: a matrix [samples, elements] in C order (a batch, its
// trailing dimensions flattened) and a vector. They own nothing; the caller keeps the memory alive until the
// stream has done the work. Rows<float> converts to Rows<const float>, Span likewise.
#pragma once

#include <type_traits>

namespace scoreact::kernels {

template <class T> struct Rows {
  T* data = nullptr;
  long samples = 0;
  long elements = 0;

  operator Rows<const T>() const requires(!std::is_const_v<T>) { return {data, samples, elements}; }
};

template <class T> struct Span {
  T* data = nullptr;
  long size = 0;

  operator Span<const T>() const requires(!std::is_const_v<T>) { return {data, size}; }
};

} // namespace scoreact::kernels
