#pragma once
/// What `scoreact pretrain` can train: one small object a kind of network. The loop around it (trainer.hpp,
/// pretrain_run.hpp) knows nothing of the loss; the task knows nothing of ranks, optimisers and files of a
/// run.
#include "models/weights.hpp"
#include "parallel/communicator.hpp"
#include "parallel/shard.hpp"
#include "store/run_metrics.hpp"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace scoreact {

/// Rows of one network call: first .. first + count - 1 of the batch of an iteration, whichever rank works on
/// them. Data, noise and dropout of a row are functions of (seed, iteration, number of the row).
struct BatchRows {
  long iteration = 0;
  long first = 0;
  long count = 0;
};

/// Tensors that are trained at `rate` times the learning rate of the deck.
struct ParameterGroup {
  NamedTensors tensors;
  double rate = 1.0;
};

class TrainingTask {
 public:
  virtual ~TrainingTask() = default;
  /// What is trained, in a fixed order; the names are those in the checkpoint, each used once.
  virtual std::vector<ParameterGroup> parameters() = 0;
  /// Called before the network calls of an update, on all ranks together: for losses that look at the whole
  /// batch. `shard`: which of its rows are this rank's.
  virtual void prepare(long /*iteration*/, const Shard& /*shard*/, const Communicator&) {}
  /// Mean loss of these rows, a scalar with graph.
  virtual at::Tensor loss(const BatchRows&) = 0;

  // The rest is called on rank 0 only, with the moving average of the weights in their place.

  /// Names, units and meanings of what held_out() gives.
  virtual std::vector<MetricInfo> figures() const { return {}; }
  virtual std::vector<double> held_out() { return {}; }
  /// Pictures [n, C, H, W] in [-1, 1], of the same noise every time, so that change shows; undefined: none.
  virtual at::Tensor samples() { return {}; }
  virtual long columns() const { return 8; } ///< of the grid of samples
  /// Writes the trained network as other tools load it. Throws Error{io}.
  virtual void save(const std::string& folder) = 0;
};

} // namespace scoreact
