#include "run/stop_request.hpp"

#include <csignal>
#include <cstdlib>
#include <ctime>

#include <algorithm>
#include <array>

namespace scoreact {

namespace {

constexpr std::array<int, 3> kSignals = {SIGTERM, SIGUSR1, SIGINT};
constexpr double kStopFile = 1001, kTimeLimit = 1000, kSlurmLimit = 1002; // beside signal numbers
constexpr double kSecondsToLeave = 5; // of a Slurm job: from the last checkpoint to the end of the process

volatile std::sig_atomic_t received_signal = 0;
volatile std::sig_atomic_t received_at = 0; ///< seconds of the monotonic clock

extern "C" void note_signal(int signal) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto seconds = static_cast<std::sig_atomic_t>(now.tv_sec);
  if (received_signal == 0) {
    received_at = seconds;
    received_signal = signal;
  } else if (seconds - received_at > 1) {
    std::_Exit(128 + signal); // the second one is faster
  }
}

/// SLURM_JOB_END_TIME is what the job was given, Unix seconds.
double slurm_job_end() {
  const char* const text = std::getenv("SLURM_JOB_END_TIME");
  return text ? std::max(0.0, std::atof(text)) : 0.0;
}

} // namespace

void listen_for_stop_signals() {
  for (const int signal : kSignals)
    std::signal(signal, note_signal);
}

StopRequest::StopRequest(std::filesystem::path stop_file, double max_seconds)
    : stop_file_(std::move(stop_file)), max_seconds_(max_seconds), job_end_(slurm_job_end()) {
  listen_for_stop_signals();
}

StopRequest::~StopRequest() {
  for (const int signal : kSignals)
    std::signal(signal, SIG_DFL);
  received_signal = 0;
}

std::string StopRequest::reason(const Communicator& ranks, double seconds, double margin,
                                bool watch_clock) const {
  double code = received_signal;
  if (code == 0 && ranks.root()) {
    if (std::filesystem::exists(stop_file_))
      code = kStopFile;
    else if (watch_clock && max_seconds_ > 0 && seconds + margin > max_seconds_)
      code = kTimeLimit;
    else if (watch_clock && job_end_ > 0 &&
             static_cast<double>(std::time(nullptr)) + margin + kSecondsToLeave > job_end_)
      code = kSlurmLimit;
  }
  code = ranks.maximum(code);
  if (code == 0)
    return "";
  if (code == kTimeLimit)
    return "time limit";
  if (code == kSlurmLimit)
    return "time limit of the Slurm job";
  if (code == kStopFile)
    return "stop file";
  return "signal " + std::to_string(static_cast<int>(code));
}

} // namespace scoreact
