#include "store/run_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
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

RunLock::RunLock(const RunDirectory& directory, std::chrono::seconds patience) {
  const std::string file = directory.lock_file().string();
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  SCOREACT_REQUIRE(descriptor_ >= 0, ExitCode::io, "{}: cannot create it: {}", file, std::strerror(errno));
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    const bool held = reason == EWOULDBLOCK || reason == EINTR;
    if (held && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    ::close(std::exchange(descriptor_, -1));
    SCOREACT_REQUIRE(held, ExitCode::io, "{}: cannot lock it: {}", file, std::strerror(reason));
    std::string holder;
    std::getline(std::ifstream(file), holder);
    SCOREACT_FAIL(ExitCode::io, "{}: another process writes into this run: {}; waited {} s",
                  directory.root().string(), holder.empty() ? "unknown" : holder, patience.count());
  }
  const std::string text = fmt::format("pid {} on {}\n", ::getpid(), this_host());
  const bool written = ::ftruncate(descriptor_, 0) == 0 &&
                       ::write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written) {
    const int reason = errno;
    ::close(std::exchange(descriptor_, -1));
    SCOREACT_FAIL(ExitCode::io, "{}: cannot write: {}", file, std::strerror(reason));
  }
}

RunLock::~RunLock() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

RunLock::RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

} // namespace scoreact
