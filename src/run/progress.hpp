#pragma once
/// What a person sees of a run: a bar with ETA on a terminal, a line an epoch in a log.
#include "parallel/stopwatch.hpp"

#include <string>

namespace scoreact {

class Progress {
 public:
  /// @param unit what is counted ("epoch", "iteration"); quiet prints nothing
  Progress(std::string unit, long total, bool quiet);
  ~Progress();
  /// Counting begins now, with `done` finished before; without it, with the unit before the first that is
  /// shown.
  void start_from(long done);
  /// Whether a bar is drawn, which may be shown as often as one likes.
  bool has_bar() const { return terminal_ && !quiet_; }
  /// `done` of `total` are finished; `detail` is one short text of figures.
  void show(long done, const std::string& detail);

 private:
  std::string unit_;
  long total_, started_at_ = -1;
  bool quiet_, terminal_, line_open_ = false;
  Stopwatch clock_;
};

/// "1:02:03" or "2:03".
std::string duration(double seconds);

} // namespace scoreact
