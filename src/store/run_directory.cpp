#include "store/run_directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "error/error.hpp"

namespace scoreact {

namespace fs = std::filesystem;

namespace {

void create_folder(const fs::path& folder) {
  std::error_code reason;
  fs::create_directories(folder, reason);
  SCOREACT_REQUIRE(!reason && fs::is_directory(folder), ExitCode::io, "{}: cannot create the folder: {}",
                   folder.string(), reason ? reason.message() : "something else is there");
}

std::string this_host() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown host";
}

/// Locks or frees bytes [first, first + count) of the file, count 0 = to its end; false if another process
/// holds one of them. Byte r belongs to rank r. The lock is that of the open file (not of the process, as
/// with F_SETLK), works on network file systems that know POSIX locks, and goes when the file is closed.
bool set_lock(int descriptor, short kind, off_t first, off_t count) {
  struct flock range {};
  range.l_type = kind;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = count;
  return ::fcntl(descriptor, F_OFD_SETLK, &range) == 0;
}

} // namespace

std::string epoch_name(long epoch) { return fmt::format("epoch_{:06d}", epoch); }

RunDirectory RunDirectory::create(const fs::path& root) {
  create_folder(root);
  return RunDirectory(root);
}

fs::path RunDirectory::trajectory_file(long epoch) const {
  create_folder(trajectories());
  return trajectories() / (epoch_name(epoch) + ".h5");
}

fs::path RunDirectory::image_file(long epoch) const {
  create_folder(images());
  return images() / (epoch_name(epoch) + ".png");
}

void RunLock::open(const RunDirectory& directory) {
  file_ = directory.lock_file().string();
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  SCOREACT_REQUIRE(descriptor_ >= 0, ExitCode::io, "{}: cannot create it: {}", file_, std::strerror(errno));
}

RunLock::RunLock(const RunDirectory& directory, std::chrono::seconds patience) {
  open(directory);
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!set_lock(descriptor_, F_WRLCK, 0, 0)) {
    const int reason = errno;
    const bool held = reason == EAGAIN || reason == EACCES || reason == EINTR;
    if (held && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    ::close(std::exchange(descriptor_, -1));
    SCOREACT_REQUIRE(held, ExitCode::io, "{}: cannot lock it: {}", file_, std::strerror(reason));
    std::string holder;
    std::getline(std::ifstream(file_), holder);
    SCOREACT_FAIL(ExitCode::io, "{}: another process writes into this run: {}; waited {} s",
                  directory.root().string(), holder.empty() ? "unknown" : holder, patience.count());
  }
  const std::string text = fmt::format("pid {} on {}\n", ::getpid(), this_host());
  const bool written = ::ftruncate(descriptor_, 0) == 0 &&
                       ::write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written) {
    const int reason = errno;
    ::close(std::exchange(descriptor_, -1));
    SCOREACT_FAIL(ExitCode::io, "{}: cannot write: {}", file_, std::strerror(reason));
  }
}

void RunLock::share() {
  SCOREACT_REQUIRE(set_lock(descriptor_, F_UNLCK, 1, 0), ExitCode::io, "{}: cannot share the lock: {}", file_,
                   std::strerror(errno));
}

RunLock RunLock::join(const RunDirectory& directory, int rank) {
  RunLock lock;
  lock.open(directory);
  SCOREACT_REQUIRE(set_lock(lock.descriptor_, F_WRLCK, rank, 1), ExitCode::io,
                   "{}: rank {} cannot take its part of the lock: {}", lock.file_, rank,
                   std::strerror(errno));
  return lock;
}

RunLock::~RunLock() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

RunLock::RunLock(RunLock&& other) noexcept
    : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

} // namespace scoreact
