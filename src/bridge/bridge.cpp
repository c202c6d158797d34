#include "bridge/bridge.hpp"

#include <ATen/ATen.h>

#include "error/error.hpp"
#include "kernels/runtime.hpp"

#ifdef SCOREACT_WITH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace scoreact::bridge {

bool staged(const at::Tensor& tensor) { return tensor.is_cuda() && !kernels::kernels_run_on_device(); }

Stream stream_of(const at::Tensor& tensor) {
  if (!tensor.is_cuda()) {
    return {};
  }
#ifdef SCOREACT_WITH_CUDA
  const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream(tensor.get_device());
  if (staged(tensor)) {
    current.synchronize();
    return {};
  }
  return {true, current.stream()};
#else
  SCOREACT_FAIL(ExitCode::internal, "a CUDA tensor reached the kernels of a build without CUDA");
#endif
}

namespace detail {

void require_layout(const at::Tensor& tensor, at::ScalarType expected, const char* called) {
  SCOREACT_REQUIRE(tensor.defined(), ExitCode::internal, "bridge {}: the tensor is undefined", called);
  SCOREACT_REQUIRE(tensor.scalar_type() == expected, ExitCode::internal,
                   "bridge {}: expected a tensor of {}, found {}", called, c10::toString(expected),
                   c10::toString(tensor.scalar_type()));
  SCOREACT_REQUIRE(tensor.layout() == at::kStrided && tensor.is_contiguous(), ExitCode::internal,
                   "bridge {}: expected a contiguous tensor, found strides {} (call .contiguous())", called,
                   c10::str(tensor.layout() == at::kStrided ? tensor.strides() : at::IntArrayRef{}));
  SCOREACT_REQUIRE(tensor.is_cpu() || tensor.is_cuda(), ExitCode::internal,
                   "bridge {}: expected a tensor on the CPU or on CUDA, found {}", called,
                   tensor.device().str());
}

void require_view(const at::Tensor& tensor, at::ScalarType expected, const char* called) {
  require_layout(tensor, expected, called);
  SCOREACT_REQUIRE(!staged(tensor), ExitCode::internal,
                   "bridge {}: this build's kernels cannot reach CUDA memory; use Input or Output", called);
}

at::Tensor host_copy(const at::Tensor& tensor, bool with_contents) {
  at::Tensor host = at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
  if (with_contents) {
    host.copy_(tensor);
  }
  return host;
}

void write_back(at::Tensor& tensor, const at::Tensor& host) { tensor.copy_(host); }

} // namespace detail

at::Tensor as_tensor(kernels::TrajectoryBuffer& buffer) {
  const at::Device device = buffer.on_device() ? at::Device(at::kCUDA) : at::Device(at::kCPU);
  return at::from_blob(buffer.data(), {buffer.times(), buffer.samples(), buffer.elements()},
                       at::TensorOptions().dtype(at::kFloat).device(device));
}

} // namespace scoreact::bridge
