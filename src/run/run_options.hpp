#pragma once
/// Deck section [run]: identity, length, device and stopping of one run.
#include <cstdint>
#include <string>

namespace scoreact {

struct RunOptions {
  std::string name = "run";
  std::uint64_t seed = 42;        ///< key of every random number; ddpo-pytorch config/base.py has 42
  long epochs = 100;              ///< rollout + update rounds; ddpo-pytorch num_epochs
  std::string device = "auto";    ///< auto | cpu | cuda
  std::string precision = "fp32"; ///< fp32 | tf32 | bf16 (networks; bookkeeping stays fp32/fp64)
  bool deterministic = true;     ///< same bits on any number of ranks: fixed micro-batches and reduction tree
  long save_freq = 20;           ///< epochs between checkpoints, 0 = only the last; ddpo-pytorch save_freq
  long num_checkpoint_limit = 5; ///< checkpoints kept; ddpo-pytorch
  long eval_freq = 0;            ///< epochs between evaluations while training, 0 = never
  /// hh:mm:ss that a rank waits for another before it ends the run; empty = for ever. c10d waits as long.
  std::string communication_timeout = "00:30:00";
  std::string max_time = ""; ///< hh:mm:ss after which the run checkpoints and exits with 75; empty = no limit
};

} // namespace scoreact
