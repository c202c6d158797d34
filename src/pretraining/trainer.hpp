#pragma once
/// The optimiser loop of pretraining on any number of ranks: AdamW with clipping at norm 1, linear warm-up
/// and cosine rate, moving average. The batch of an iteration is cut into micro-batches, the leaves of one
/// tree of sums (parallel/tree_sum.hpp); so the weights have the same bits on any number of ranks, if
/// deterministic.
#include "optim/flat_adamw.hpp"
#include "optim/learning_rate.hpp"
#include "pretraining/pretrain_options.hpp"
#include "pretraining/training_task.hpp"

#include <functional>
#include <map>

namespace scoreact {

/// What a training loop tells once every log_freq iterations.
struct TrainingReport {
  long iteration = 0; ///< updates done
  double loss = 0;    ///< mean over the iterations since the last report
  double learning_rate = 0;
  double grad_norm = 0; ///< mean since the last report, before clipping
};

class Trainer {
 public:
  /// The task's tensors become views into one flat buffer. Throws Error{data} when the ranks do not divide
  /// the micro-batches.
  Trainer(TrainingTask&, const PretrainOptions&, const Communicator&, bool deterministic);

  long iteration() const { return optimizer_.steps(); } ///< updates done
  /// One update. Collective.
  void step();
  /// Means since the last report. Collective. Throws Error{internal} when a loss or gradient was not finite.
  TrainingReport report();
  /// Does `work` with the moving average in place of the weights.
  void with_average(const std::function<void()>& work);
  FlatAdamW& optimizer() { return optimizer_; }

  /// Sums since the last report, which a checkpoint has to hold beside weights and moments. Collective;
  /// throws as report().
  std::map<std::string, std::vector<double>> state();
  void restore(const std::map<std::string, std::vector<double>>&);

 private:
  void collect_figures();

  TrainingTask& task_;
  PretrainOptions options_;
  const Communicator& ranks_;
  Shard shard_;
  LearningRateOptions rate_;
  FlatAdamW optimizer_;
  std::vector<at::Tensor> losses_; ///< [] of this rank's micro-batches since the figures were collected
  std::vector<at::Tensor> norms_;  ///< [1] float64
  double loss_sum_ = 0, norm_sum_ = 0, summed_ = 0; ///< over the iterations since the last report
};

/// Trains without files of a run: all iterations, `observe` is told every log_freq of them; at the end the
/// weights are the moving average (if ema_decay > 0).
void train(TrainingTask&, const PretrainOptions&, const Communicator&,
           const std::function<void(const TrainingReport&)>& observe);

} // namespace scoreact
