#pragma once
/// Everything that a stopped run needs to go on with the same bits, into a checkpoint and back: policy and
/// value weights, their optimisers' moments, and the counters. Random numbers need no state: they are keyed
/// by epoch and sample.
#include "rl/algorithm.hpp"
#include "store/checkpoint.hpp"

#include <filesystem>
#include <string>

namespace scoreact {

struct RunCounters {
  long epoch = 0;            ///< finished epochs
  long value_pretrained = 0; ///< finished rollouts of value.pretrain_epochs, before the first epoch
  double network_evaluations = 0;
  double wall_time = 0; ///< seconds, restarts left out
  double restarts = 0;
};

/// Rank 0 writes. A copy of `run_file` goes into the checkpoint.
void save_run_state(const std::filesystem::path& checkpoints, const RunCounters&, Algorithm&,
                    const std::string& deck, const std::filesystem::path& run_file, long keep);

/// Every rank reads. Throws Error{data} naming the tensor when a checkpoint does not fit the deck's networks.
RunCounters load_run_state(const LoadedCheckpoint&, Algorithm&);

/// Copies a checkpoint's policy weights into the network, for sampling and evaluation: their moving average
/// if the run keeps one (train.ema_decay). Throws as load_run_state().
void load_policy_weights(const LoadedCheckpoint&, Denoiser&);

} // namespace scoreact
