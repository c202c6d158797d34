// The one place where tensors meet kernels. A kernel takes pointer + extents + stream (kernels/rows.hpp);
// here they are made from an at::Tensor, with checks, and without a copy wherever the kernels can reach the
// tensor's memory. The exception is a CUDA tensor in a build whose Kokkos has no CUDA ("staged"): Input and
// Output then pass a pinned host copy and run the kernel on the host. Use Input/Output for every argument and
// the caller need not know:
//   Input<float> action(a), mean(m), old(o);  Input<double> std(s);  Output<double> ratio(r);
//   gaussian_log_ratio(stream_of(a), action.rows(), mean.rows(), old.rows(), std.span(), reduction,
//   ratio.span());
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <type_traits>

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"
#include "kernels/trajectory_buffer.hpp"

namespace scoreact::bridge {

using kernels::Rows;
using kernels::Span;
using kernels::Stream;

/// True if kernels cannot reach this tensor's memory: a CUDA tensor, and Kokkos without CUDA. The only such
/// decision.
bool staged(const at::Tensor& tensor);

/// Where kernels on this tensor run: the host (CPU tensors, staged tensors), else PyTorch's current CUDA
/// stream. On the host, first waits for the current stream if the tensor is staged.
Stream stream_of(const at::Tensor& tensor);

namespace detail {
/// Throws scoreact::Error (internal) unless tensor is defined, contiguous, of this dtype, on CPU or CUDA, and
/// reachable by the kernels.
void require_view(const at::Tensor& tensor, at::ScalarType expected, const char* called);
/// As above, but a staged tensor is allowed.
void require_layout(const at::Tensor& tensor, at::ScalarType expected, const char* called);
/// Pinned host tensor of the same shape and dtype; holding the tensor's values if with_contents.
at::Tensor host_copy(const at::Tensor& tensor, bool with_contents);
void write_back(at::Tensor& tensor, const at::Tensor& host);

template <class T> constexpr at::ScalarType scalar_type() {
  using Value = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Value, float>) {
    return at::ScalarType::Float;
  } else if constexpr (std::is_same_v<Value, double>) {
    return at::ScalarType::Double;
  } else if constexpr (std::is_same_v<Value, std::int32_t>) {
    return at::ScalarType::Int;
  } else {
    static_assert(std::is_same_v<Value, std::int64_t>, "kernels know float, double, int32 and int64");
    return at::ScalarType::Long;
  }
}

template <class T> Rows<T> unchecked_rows(const at::Tensor& tensor) {
  const long samples = tensor.dim() == 0 ? 1 : static_cast<long>(tensor.size(0));
  const long elements = samples == 0 ? 0 : static_cast<long>(tensor.numel()) / samples;
  return {static_cast<T*>(tensor.data_ptr()), samples, elements};
}

template <class T> Span<T> unchecked_span(const at::Tensor& tensor) {
  return {static_cast<T*>(tensor.data_ptr()), static_cast<long>(tensor.numel())};
}
} // namespace detail

/// The tensor [B, ...] as B rows, its memory shared. T is float, double, int32 or int64, const or not.
/// Throws scoreact::Error unless the tensor is contiguous, of that dtype and reachable by the kernels.
template <class T> Rows<T> rows(const at::Tensor& tensor) {
  detail::require_view(tensor, detail::scalar_type<T>(), "rows");
  return detail::unchecked_rows<T>(tensor);
}

/// The tensor, any shape, as a flat vector, its memory shared. Checks as for rows.
template <class T> Span<T> span(const at::Tensor& tensor) {
  detail::require_view(tensor, detail::scalar_type<T>(), "span");
  return detail::unchecked_span<T>(tensor);
}

/// An argument that a kernel reads. Holds the tensor, so a temporary is fine.
template <class T> class Input {
 public:
  explicit Input(const at::Tensor& tensor) : tensor_(tensor) {
    detail::require_layout(tensor_, detail::scalar_type<T>(), "Input");
    if (staged(tensor_)) {
      tensor_ = detail::host_copy(tensor_, true);
    }
  }
  Rows<const T> rows() const { return detail::unchecked_rows<const T>(tensor_); }
  Span<const T> span() const { return detail::unchecked_span<const T>(tensor_); }

 private:
  at::Tensor tensor_;
};

/// What a kernel does with an Output.
enum class Contents {
  overwritten, ///< old values are not needed
  updated      ///< read and written
};

/// An argument that a kernel writes. A staged one is copied back to the tensor on destruction, so end its
/// scope before the tensor is used.
template <class T> class Output {
 public:
  explicit Output(const at::Tensor& tensor, Contents contents = Contents::overwritten) : tensor_(tensor) {
    detail::require_layout(tensor_, detail::scalar_type<T>(), "Output");
    if (staged(tensor_)) {
      host_ = detail::host_copy(tensor_, contents == Contents::updated);
    }
  }
  ~Output() {
    if (host_.defined()) {
      detail::write_back(tensor_, host_);
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  Rows<T> rows() const { return detail::unchecked_rows<T>(host_.defined() ? host_ : tensor_); }
  Span<T> span() const { return detail::unchecked_span<T>(host_.defined() ? host_ : tensor_); }

 private:
  at::Tensor tensor_;
  at::Tensor host_;
};

/// The buffer as a tensor [times, samples, elements] float32 without a copy, on the device where the buffer
/// lives. The tensor must not outlive the buffer.
at::Tensor as_tensor(kernels::TrajectoryBuffer& buffer);

} // namespace scoreact::bridge
