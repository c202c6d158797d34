#pragma once
/// The surroundings of the epoch loop: run directory, run file, checkpoints, pictures, trajectories,
/// progress, stopping and resuming. It knows nothing of how an algorithm learns.
#include "error/error.hpp"
#include "parallel/communicator.hpp"
#include "rl/algorithm.hpp"
#include "rl/prompts.hpp"
#include "run/progress.hpp"
#include "run/run_evaluation.hpp"
#include "run/run_folder.hpp"
#include "run/run_state.hpp"
#include "store/store_options.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace scoreact {

struct TrainingRunSetup {
  std::filesystem::path directory;
  RunOptions run;
  StoreOptions store;
  double kl_weight = 0;
  long samples_per_call = 1; ///< of networks outside the update
  std::string deck;          ///< effective deck, TOML
  std::string device_name;
  std::vector<std::string> prompts; ///< texts, for the run file; empty where there are none
  bool quiet = false;
  Stopwatch since_start; ///< begun when the program began
};

class TrainingRun {
 public:
  /// Creates or continues the run in `directory`: takes its lock, loads the newest sound checkpoint into the
  /// algorithm. Collective. Throws Error{data} when the directory holds a run of another deck.
  TrainingRun(TrainingRunSetup, ScorePolicy&, Algorithm&, const Communicator&);

  /// Rollouts of the value's pretraining that are done, before stops too.
  long value_pretrained() const { return counters_.value_pretrained; }
  /// One more of `total` is done; `error` is its mean squared error. A checkpoint when due. Collective.
  void record_pretraining(long total, double error);
  /// Numbers of the epochs still to run, from 0.
  std::vector<long> remaining_epochs() const;
  /// After collecting: draws the time of the rollout.
  void rolled_out();
  /// Metrics of the epoch into run.h5; trajectories and pictures and a checkpoint when due. Collective.
  /// @param network_evaluations of the rollout and of learning, guidance counted
  void record(Trajectories& batch, const LearnReport&, long network_evaluations);
  /// Collective; true when the run must stop now (signal, time limit, stop file). Asked before the first
  /// epoch too.
  bool should_stop();
  /// Checkpoints; returns stopped_early. Collective.
  ExitCode checkpoint_and_requeue();
  /// Last checkpoint and the final policy; returns success. Collective.
  ExitCode finish();
  /// Called with the path of a PNG whenever pictures are due (rank 0 only), the weights being their moving
  /// average, if there is one.
  void set_painter(std::function<void(const std::filesystem::path&)> painter);
  /// Makes a row, with such weights too, before the first epoch and after every run.eval_freq epochs; goes on
  /// from the rows of an earlier start. Collective. `evaluation` must outlive the run.
  void set_evaluation(RunEvaluation& evaluation);

 private:
  /// Throws Error{internal} when a number is not finite: such weights must not become a checkpoint.
  void require_sound_policy(double reward, double grad_norm) const;
  void paint_if_due();
  void evaluate_if_due();
  void checkpoint();

  TrainingRunSetup setup_;
  ScorePolicy& policy_;
  Algorithm& algorithm_;
  const Communicator& ranks_;
  RunFolder folder_;
  RunCounters counters_;
  Progress progress_;
  Stopwatch epoch_clock_;
  bool pretrained_since_ = false; ///< the checkpoint of epoch 0 is out of date
  double rollout_time_ = 0, checkpoint_seconds_ = 0;
  double longest_epoch_ = 0, longest_after_ = 0; ///< seconds: epochs, and what follows them but checkpoints
  double trajectory_seconds_ = 0, evaluation_seconds_ = 0, communicated_before_ = 0;
  std::string stop_reason_;
  std::function<void(const std::filesystem::path&)> painter_;
  RunEvaluation* evaluation_ = nullptr;
};

} // namespace scoreact
