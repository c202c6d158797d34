#pragma once
/// Why a run should stop early: SIGTERM, SIGUSR1, SIGINT, a file `stop` in the run directory, or the wall
/// clock. Asked once an epoch by all ranks together, so that none goes on alone.
#include "parallel/communicator.hpp"

#include <filesystem>
#include <string>

namespace scoreact {

class StopRequest {
 public:
  /// Installs the signal handlers; the second signal ends the process at once with its default action.
  /// @param max_seconds 0 = no limit
  StopRequest(std::filesystem::path stop_file, double max_seconds);
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  /// Collective. Empty, or the reason. `seconds` have passed since the program started; `margin` is what
  /// finishing takes.
  std::string reason(const Communicator&, double seconds, double margin) const;

 private:
  std::filesystem::path stop_file_;
  double max_seconds_;
};

} // namespace scoreact
