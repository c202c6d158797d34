#include "parallel/deadline.hpp"

#include "error/error.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace scoreact {

Deadline::Deadline(double seconds, int rank, std::string what) {
  if (seconds <= 0)
    return;
  // rank 0 speaks first, and mpirun then ends the others before they say the same
  const auto limit = std::chrono::duration<double>(seconds + (rank > 0 ? 2.0 : 0.0));
  watcher_ = std::thread([this, limit, rank, text = std::move(what)] {
    std::unique_lock lock(mutex_);
    if (over_.wait_for(lock, limit, [this] { return done_; }))
      return;
    std::fprintf(stderr, "scoreact: rank %d: %s\n", rank, text.c_str());
    std::fflush(stderr);
    std::_Exit(static_cast<int>(ExitCode::io));
  });
}

Deadline::~Deadline() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  over_.notify_all();
  if (watcher_.joinable())
    watcher_.join();
}

} // namespace scoreact
