#pragma once
/// Minibatches of a training run as pure functions of (seed, iteration, row of the batch): which images,
/// which labels, which times, which noise. Nothing here depends on the order of calls or on how a batch is
/// cut, so a run has the same numbers on any number of ranks.
#include "data/image_data.hpp"
#include "pretraining/training_task.hpp"

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
  ImageBatch draw(const BatchRows&) const;
  /// All of `rows` in order, with their labels.
  ImageBatch all() const;
  long count() const { return labels_.size(0); } ///< images to draw from
  std::uint64_t seed() const { return seed_; }

 private:
  at::Tensor images_, labels_;
  std::uint64_t seed_;
};

/// Uniform integers [count] int64 in 0 .. bound-1, on the host, for rows first .. first + count - 1 of the
/// batch; `what` separates uses within one iteration (below 256).
at::Tensor random_integers(std::uint64_t seed, long iteration, long what, long first, long count, long bound);
/// Standard normal numbers of `like`'s shape [rows, ...] and device, for the rows of the batch from `first`
/// on.
at::Tensor random_normal_like(const at::Tensor& like, std::uint64_t seed, long iteration, long first,
                              long what = 0);
/// Uniform numbers in [0, 1), [count] float32, on the host.
at::Tensor random_uniform(std::uint64_t seed, long iteration, long what, long first, long count);

} // namespace scoreact
