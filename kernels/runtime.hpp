// Lifetime of Kokkos, kept behind a class because a CUDA-enabled Kokkos header cannot be compiled by plain
// g++. Make one Runtime in main, after MPI has started and before the first kernel; destroy it after the last
// TrajectoryBuffer and before MPI ends.
#pragma once

#include <string>

namespace scoreact::kernels {

class Runtime {
 public:
  /// Starts Kokkos unless it is running already (then this object leaves it running).
  /// @param threads    host threads of this process, if Kokkos has OpenMP; < 1: Kokkos chooses
  /// @param device_id  CUDA device of this process, if Kokkos has CUDA; < 0: Kokkos chooses
  explicit Runtime(int threads = 1, int device_id = -1);
  /// Drops the cached per-stream instances, then finalises Kokkos if this object started it.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

 private:
  bool owner_ = false;
};

/// True if this build's kernels can run on CUDA tensors in place (Kokkos was built with CUDA).
bool kernels_run_on_device();

/// "3.4.1"; needs no Runtime.
std::string kokkos_version();

/// One line for the run file and the banner: Kokkos version, default execution space, host execution space,
/// threads. Needs a living Runtime for the number of threads.
std::string configuration();

} // namespace scoreact::kernels
