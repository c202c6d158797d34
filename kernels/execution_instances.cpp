#include "kernels/detail/execution.hpp"

#include <map>
#include <mutex>

namespace scoreact::kernels::detail {

#ifdef KOKKOS_ENABLE_CUDA
namespace {
struct Instances {
  std::mutex mutex;
  std::map<CUstream_st*, Kokkos::Cuda> by_stream;
};
Instances& instances() {
  static Instances kept;
  return kept;
}
} // namespace

Kokkos::Cuda cuda_instance(CUstream_st* stream) {
  Instances& kept = instances();
  const std::lock_guard<std::mutex> lock(kept.mutex);
  const auto found = kept.by_stream.find(stream);
  if (found != kept.by_stream.end()) {
    return found->second;
  }
  return kept.by_stream.emplace(stream, Kokkos::Cuda(stream)).first->second;
}

void clear_instances() {
  Instances& kept = instances();
  const std::lock_guard<std::mutex> lock(kept.mutex);
  kept.by_stream.clear();
}
#else
void clear_instances() {}
#endif

} // namespace scoreact::kernels::detail
