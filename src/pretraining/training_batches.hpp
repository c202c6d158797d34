#pragma once
/// Minibatches of a training run as pure functions of (seed, iteration): which images, which labels, which
/// times, which noise. Nothing here depends on the order of calls, so a run has the same numbers however it
/// is cut.
#include "data/image_data.hpp"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>

namespace scoreact {

struct ImageBatch {
  at::Tensor images; ///< [B, C, H, W] fp32 in [-1, 1]
  at::Tensor labels; ///< [B] int64
};

class TrainingBatches {
 public:
  /// Draws from `rows` of `data` with `labels` [data.count()] (perhaps noisy ones), with replacement;
  /// everything is kept on `device`.
  TrainingBatches(const ImageData& data, const std::vector<long>& rows,
                  const std::vector<std::int64_t>& labels, std::uint64_t seed,
                  c10::Device device = c10::Device(c10::kCPU));
  ImageBatch draw(long iteration, long batch_size) const;
  /// All of `rows` in order, with their labels.
  ImageBatch all() const;
  std::uint64_t seed() const { return seed_; }

 private:
  at::Tensor images_, labels_;
  std::uint64_t seed_;
};

/// Uniform integers [count] int64 in 0 .. bound-1, on the host; `what` separates uses within one iteration.
at::Tensor random_integers(std::uint64_t seed, long iteration, long what, long count, long bound);
/// Standard normal numbers of `like`'s shape.
at::Tensor random_normal_like(const at::Tensor& like, std::uint64_t seed, long iteration);
/// Uniform numbers in [0, 1), [count] float32, on the host.
at::Tensor random_uniform(std::uint64_t seed, long iteration, long what, long count);

} // namespace scoreact
