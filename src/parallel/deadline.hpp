#pragma once
/// A limit on the time that a piece of code may take which can wait for other ranks inside another library,
/// where no exception and no agreement reach it.
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace scoreact {

class Deadline {
 public:
  /// If the object still lives after `seconds`, prints "scoreact: rank R: WHAT" and ends the process at once
  /// with ExitCode::io; the launcher then ends the other ranks. 0: no limit.
  Deadline(double seconds, int rank, std::string what);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool done_ = false;
  std::thread watcher_;
};

} // namespace scoreact
