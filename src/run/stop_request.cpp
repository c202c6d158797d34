#include "run/stop_request.hpp"

#include <csignal>

#include <array>

namespace scoreact {

namespace {

volatile std::sig_atomic_t received_signal = 0;
constexpr std::array<int, 3> kSignals = {SIGTERM, SIGUSR1, SIGINT};

extern "C" void note_signal(int signal) {
  if (received_signal != 0)
    std::_Exit(128 + signal); // the second one is faster
  received_signal = signal;
}

} // namespace

StopRequest::StopRequest(std::filesystem::path stop_file, double max_seconds)
    : stop_file_(std::move(stop_file)), max_seconds_(max_seconds) {
  received_signal = 0;
  for (const int signal : kSignals)
    std::signal(signal, note_signal);
}

StopRequest::~StopRequest() {
  for (const int signal : kSignals)
    std::signal(signal, SIG_DFL);
}

std::string StopRequest::reason(const Communicator& ranks, double seconds, double margin) const {
  double code = received_signal;
  if (code == 0 && ranks.root()) {
    if (std::filesystem::exists(stop_file_))
      code = 1001;
    else if (max_seconds_ > 0 && seconds + margin > max_seconds_)
      code = 1000;
  }
  code = ranks.maximum(code);
  if (code == 0)
    return "";
  if (code == 1000)
    return "time limit";
  if (code == 1001)
    return "stop file";
  return "signal " + std::to_string(static_cast<int>(code));
}

} // namespace scoreact
