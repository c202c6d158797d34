#include "store/disk_space.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "error/error.hpp"

namespace scoreact {

namespace fs = std::filesystem;

namespace {

/// An open file that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& file, int flags) : number_(::open(file.c_str(), flags | O_CLOEXEC, 0666)) {
    SCOREACT_REQUIRE(number_ >= 0, ExitCode::io, "{}: cannot open it: {}", file.string(),
                     std::strerror(errno));
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

} // namespace

void reserve_space(const fs::path& file, std::int64_t bytes) {
  const Descriptor descriptor(file, O_WRONLY | O_CREAT);
  int reason = 0;
  do {
    reason = ::fallocate(descriptor.number(), FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 ? 0 : errno;
  } while (reason == EINTR);
  if (reason == EOPNOTSUPP || reason == ENOSYS || reason == EINVAL) {
    struct statvfs disk {};
    reason = ::fstatvfs(descriptor.number(), &disk) != 0 ? errno : 0;
    const auto free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    if (reason == 0 && free < static_cast<std::uint64_t>(bytes))
      reason = ENOSPC;
  }
  SCOREACT_REQUIRE(reason == 0, ExitCode::io, "{}: cannot reserve {} bytes for it: {}", file.string(), bytes,
                   std::strerror(reason));
}

void release_reserve(const fs::path& file) {
  const Descriptor descriptor(file, O_WRONLY);
  struct stat status {};
  SCOREACT_REQUIRE(
      ::fstat(descriptor.number(), &status) == 0 && ::ftruncate(descriptor.number(), status.st_size) == 0,
      ExitCode::io, "{}: cannot give back reserved space: {}", file.string(), std::strerror(errno));
}

} // namespace scoreact
