// Where a kernel runs: on the host, or on a CUDA stream. `CUstream_st*` is cudaStream_t (and what
// c10::cuda::CUDAStream::stream() returns), named here without any CUDA header so that a plain C++ file can
// hold one. Kernels are asynchronous with respect to the host when on_device; none of them waits (no fence
// inside).
#pragma once

struct CUstream_st;

namespace scoreact::kernels {

struct Stream {
  bool on_device = false;
  CUstream_st* handle = nullptr; ///< used when on_device; nullptr is CUDA's default stream
};

} // namespace scoreact::kernels
