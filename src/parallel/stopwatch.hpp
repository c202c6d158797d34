#pragma once
/// Wall-clock seconds since construction or the last lap.
#include <chrono>

namespace scoreact {

class Stopwatch {
 public:
  double lap() {
    const double seconds = elapsed();
    start_ = std::chrono::steady_clock::now();
    return seconds;
  }
  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace scoreact
