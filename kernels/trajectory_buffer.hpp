// Owner of the states (or actions) of a batch of trajectories, [time][sample][element] float32 in C order, in
// the default memory of the kernels: host memory, or device memory when Kokkos was built with CUDA. Destroy
// it before the Runtime. The bridge shows it to LibTorch without a copy (src/bridge/bridge.hpp, as_tensor).
#pragma once

#include <memory>

#include "kernels/rows.hpp"

namespace scoreact::kernels {

class TrajectoryBuffer {
 public:
  /// Allocates times * samples * elements floats, not initialised.
  /// Throws std::invalid_argument if an extent is negative, std::runtime_error if memory runs out.
  TrajectoryBuffer(long times, long samples, long elements);
  ~TrajectoryBuffer();
  TrajectoryBuffer(TrajectoryBuffer&&) noexcept;
  TrajectoryBuffer& operator=(TrajectoryBuffer&&) noexcept;

  /// The batch at one time, [samples, elements]. Throws std::out_of_range.
  Rows<float> at(long time) const;
  float* data() const;
  long times() const { return times_; }
  long samples() const { return samples_; }
  long elements() const { return elements_; }
  /// True if data() is device memory.
  bool on_device() const;

 private:
  struct Storage;
  std::unique_ptr<Storage> storage_;
  long times_ = 0;
  long samples_ = 0;
  long elements_ = 0;
};

} // namespace scoreact::kernels
