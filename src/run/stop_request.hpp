#pragma once
/// Why a run should stop early: SIGTERM, SIGUSR1, SIGINT, a file `stop` in the run directory, the wall clock
/// of the deck or that of the Slurm job. Asked once an epoch by all ranks together, so that none goes on
/// alone.
#include "parallel/communicator.hpp"

#include <filesystem>
#include <string>

namespace scoreact {

/// From here on the signals are noted instead of ending the process. The second one, if it comes more than a
/// second after the first (launchers may deliver one signal twice), ends the process at once with 128 + its
/// number.
void listen_for_stop_signals();

class StopRequest {
 public:
  /// Listens for signals. @param max_seconds 0 = no limit
  StopRequest(std::filesystem::path stop_file, double max_seconds);
  /// Signals have their default action again.
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  /// Collective. Empty, or the reason. `seconds` have passed since the program started; `margin` is what
  /// finishing takes. Clocks count only if `watch_clock`.
  std::string reason(const Communicator&, double seconds, double margin, bool watch_clock = true) const;

 private:
  std::filesystem::path stop_file_;
  double max_seconds_;
  double job_end_; ///< Unix time at which Slurm ends the job, 0 = none
};

} // namespace scoreact
