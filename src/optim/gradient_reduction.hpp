#pragma once
/// The sum of a flat gradient over the ranks, once an optimiser update. gradient_reduction() is the
/// one place that decides how it is done:
///   one rank                                     nothing to do
///   gradient on the CPU                          MPI, in place
///   on CUDA, every rank with a GPU of its own    NCCL, on a stream of its own
///   on CUDA, MPI that reads device memory        MPI, in place (ranks that share a GPU)
///   on CUDA, other MPI (Debian's Open MPI)       MPI, through one pinned host buffer
/// The order of the additions is the library's; sums with fixed bits are TreeSum's (parallel/tree_sum.hpp).
#include "parallel/communicator.hpp"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace scoreact {

class GradientReduction {
 public:
  virtual ~GradientReduction() = default;
  GradientReduction() = default;
  GradientReduction(const GradientReduction&) = delete;
  GradientReduction& operator=(const GradientReduction&) = delete;

  /// Starts the sum of a slice of the gradient, in place: [n] fp32, contiguous. Collective: all ranks start
  /// the same slices in the same order. Throws Error{io} naming ranks that did not come.
  virtual void start(const at::Tensor& slice) = 0;
  /// What is queued on the device's current stream afterwards sees the sums of all slices started.
  /// Collective.
  virtual void finish() = 0;
  /// Gives up what was started and can't be finished, as another rank has failed.
  virtual void abandon() {}
  /// True if a slice that is started early is summed while this rank goes on computing.
  virtual bool works_by_itself() const { return false; }
  /// For the banner: "by MPI", "by NCCL 2.28.9".
  virtual std::string name() const = 0;

  void sum(const at::Tensor& gradient) {
    start(gradient);
    finish();
  }
};

/// The reduction for gradients on this device. Collective. Optimisers of one device share it: it lives as
/// long as one of them, and not longer than the communicator.
std::shared_ptr<GradientReduction> gradient_reduction(const Communicator&, const at::Device&);

} // namespace scoreact
