#pragma once
/// AdamW on a flat parameter buffer, fed with gradients that are summed over micro-batches and ranks in one
/// fixed order.
#include "optim/early_reduction.hpp"
#include "optim/flat_parameters.hpp"
#include "parallel/communicator.hpp"

#include <functional>

namespace scoreact {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, weight_decay = 1e-4, epsilon = 1e-8; ///< ddpo-pytorch config/base.py
  double max_grad_norm = 1.0;                                             ///< 0 = no clipping
  double ema_decay = 0.0;                                                 ///< 0 = no EMA
};

/// The micro-batches of one update: `total` on all ranks, of which this rank runs `count` from number `first`
/// on.
struct MicroBatches {
  long total = 1, first = 0, count = 1;
};

/// Consecutive numbers of the flat buffer whose learning rate is `factor` times that of the update.
struct RateGroup {
  long length = 0;
  double factor = 1;
};

class FlatAdamW {
 public:
  FlatAdamW(FlatParameters parameters, const AdamWOptions&, const Communicator&, bool deterministic);
  /// Learning rates of parts of the network, from the front of the buffer; the norm that clips is still that
  /// of the whole gradient. Throws Error{internal} if the lengths do not add up to the buffer.
  void set_rates(std::vector<RateGroup> groups);

  /// One optimiser update. `accumulate(i)`, i = 0..count-1, runs forward and backward of this rank's i-th
  /// micro-batch; the gradients of all micro-batches of all ranks are summed (bit-equal for any number of
  /// ranks when deterministic) and applied. Returns the gradient's norm before clipping as a [1] float64
  /// tensor on the parameters' device (reading it waits). Collective; if `accumulate` throws on one rank, all
  /// ranks throw its message (AgreedError) before any gradient is exchanged.
  at::Tensor update(const MicroBatches&, double learning_rate, const std::function<void(long)>& accumulate);

  FlatParameters& parameters() { return parameters_; }
  const at::Tensor& ema() const { return ema_; } ///< [n], undefined without EMA
  /// Runs `work` while the parameters are their moving average, if there is one.
  void with_average(const std::function<void()>& work);
  long steps() const { return steps_; }
  std::string summed_how() const; ///< how gradients of several ranks are added, in words
  /// Everything that a resumed run needs beside the parameters: (name, tensor) of the moments (and EMA).
  std::vector<std::pair<std::string, at::Tensor>> state() const;
  void set_steps(long steps) { steps_ = steps; }

 private:
  FlatParameters parameters_;
  AdamWOptions options_;
  const Communicator& ranks_;
  bool deterministic_;
  std::shared_ptr<GradientReduction> reduction_;
  std::unique_ptr<EarlyReduction> early_; ///< where it pays: large gradients that a device sums by itself
  std::vector<RateGroup> rates_;
  long steps_ = 0;
  at::Tensor first_, second_, ema_;
};

} // namespace scoreact
