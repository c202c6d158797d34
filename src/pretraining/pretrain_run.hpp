#pragma once
/// One run of `scoreact pretrain`: the training loop and what surrounds it - the run's folder, metrics,
/// checkpoints, grids of samples, progress, stopping and going on.
#include "error/error.hpp"
#include "pretraining/trainer.hpp"
#include "run/progress.hpp"
#include "run/run_folder.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace scoreact {

class PretrainRun {
 public:
  /// Creates or continues the run: takes its lock, loads the newest sound checkpoint. Collective. Throws
  /// Error{data} when the folder holds a run of another deck.
  PretrainRun(TrainingTask&, const RunFolderSetup&, const PretrainOptions&, const Communicator&);
  /// All iterations that are left, then the trained network. Collective. Returns success, or stopped_early
  /// after a checkpoint (signal, stop file, time limit).
  ExitCode train();

 private:
  void record();
  std::vector<double> held_out_if_due();
  void paint();
  void checkpoint();
  bool last() const { return trainer_.iteration() == options_.iterations; }
  bool due(long every) const { return every > 0 && trainer_.iteration() % every == 0; }
  ExitCode requeue(const std::string& reason);
  ExitCode finish();

  TrainingTask& task_;
  RunFolderSetup setup_;
  PretrainOptions options_;
  const Communicator& ranks_;
  std::vector<MetricInfo> figures_;
  Trainer trainer_;
  RunFolder folder_;
  Progress progress_;
  std::string detail_; ///< of the progress line, since the last row of metrics
  Stopwatch clock_, since_shown_;
  double wall_time_ = 0; ///< seconds until clock_ began, restarts left out
  double restarts_ = 0, longest_iteration_ = 0, checkpoint_seconds_ = 0;
  long rows_ = 0; ///< of metrics
};

} // namespace scoreact
