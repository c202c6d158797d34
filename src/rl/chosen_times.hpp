#pragma once
/// Which steps of its trajectory each sample is trained at: a random quadrature over the steps, another one
/// for each sample, so that the noise of the draw averages out over the samples (docs/mathematics.md sections
/// 2 and 5).
#include "diffusion/grid.hpp"
#include "parallel/shard.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace scoreact {

/// T of the K steps of each of B samples. Row k holds the step of stratum k and increases along k; sum over k
/// of weight f(step) is an unbiased estimate of a sample's sum of f over all K steps.
struct ChosenTimes {
  at::Tensor step;   ///< [T, B] int64
  at::Tensor weight; ///< [T, B] float64, inverse probability of the draw
  long count() const { return step.size(0); }
};

/// num_times of the steps, 0: this fraction of them; with a few, the last steps are always in. A sample's
/// steps follow from (seed, epoch, its global number) alone: in each stratum a random place for the epoch,
/// turned by the golden ratio from sample to sample, so that few samples cover the stratum evenly. All steps
/// drawn are all_times.
ChosenTimes choose_times(long steps, long num_times, double fraction, std::uint64_t seed, std::uint32_t epoch,
                         const Shard&, at::Device device = at::kCPU);

/// All steps with weight 1.
ChosenTimes all_times(long steps, long samples, at::Device device = at::kCPU);

/// The same steps for all samples.
ChosenTimes shared_times(const StepSubset&, long samples, at::Device device = at::kCPU);

} // namespace scoreact
