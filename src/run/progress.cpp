#include "run/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace scoreact {

namespace {

/// Whether a person watches what this process prints. mpirun lends every rank a terminal, wherever its own
/// output goes; on its host that can be seen.
bool on_terminal() {
  if (isatty(STDOUT_FILENO) == 0)
    return false;
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr)
    return true;
  std::error_code none;
  const std::filesystem::path launcher = fmt::format("/proc/{}/fd/1", getppid());
  const std::string output = std::filesystem::read_symlink(launcher, none).string();
  return !none && (output.starts_with("/dev/pts/") || output.starts_with("/dev/tty"));
}

} // namespace

Progress::Progress(std::string unit, long total, bool quiet)
    : unit_(std::move(unit)), total_(total), quiet_(quiet), terminal_(on_terminal()) {}

Progress::~Progress() {
  if (line_open_)
    std::fputc('\n', stdout);
}

void Progress::start_from(long done) {
  started_at_ = done;
  clock_.lap();
}

void Progress::show(long done, const std::string& detail) {
  if (quiet_)
    return;
  if (started_at_ < 0)
    started_at_ = done - 1; // a resumed run starts later
  const double each = clock_.elapsed() / static_cast<double>(std::max(1L, done - started_at_));
  const std::string eta = duration(each * static_cast<double>(total_ - done));
  if (terminal_) {
    constexpr long kWidth = 24;
    const long filled = total_ > 0 ? kWidth * done / total_ : kWidth;
    fmt::print("\r\033[K{} {:>{}}/{} [{}{}] {}  ETA {}", unit_, done, fmt::formatted_size("{}", total_),
               total_, std::string(static_cast<std::size_t>(filled), '='),
               std::string(static_cast<std::size_t>(kWidth - filled), ' '), detail, eta);
    line_open_ = true;
  } else {
    fmt::print("{} {}/{}  {}  ETA {}\n", unit_, done, total_, detail, eta);
  }
  std::fflush(stdout);
}

std::string duration(double seconds) {
  const long s = std::max(0L, std::lround(seconds));
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

} // namespace scoreact
