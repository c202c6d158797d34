#include "store/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "error/error.hpp"

namespace scoreact {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what, const fs::path& path, int reason) {
  SCOREACT_FAIL(ExitCode::io, "{}: cannot {}: {}", path.string(), what, std::strerror(reason));
}

/// A file that is open for writing and closes itself.
class OutputFile {
 public:
  explicit OutputFile(const fs::path& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
      fail("create it", path, errno);
  }
  ~OutputFile() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    constexpr std::size_t kMostAtOnce = std::size_t{1} << 30; // Linux writes less than 2 GiB a call
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMostAtOnce));
      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        fail("write", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void finish() {
    if (::fsync(descriptor_) != 0)
      fail("bring to the disk", path_, errno);
    if (::close(std::exchange(descriptor_, -1)) != 0)
      fail("close", path_, errno);
  }

 private:
  fs::path path_;
  int descriptor_ = -1;
};

void sync_path(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0)
    fail("open", path, errno);
  const int status = ::fsync(descriptor);
  const int reason = errno;
  ::close(descriptor);
  // EINVAL: some network file systems have no fsync for folders; nothing can be done about it there
  if (status != 0 && reason != EINVAL)
    fail("bring to the disk", path, reason);
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

} // namespace

void sync_file(const fs::path& path) { sync_path(path, O_RDONLY); }

void sync_folder(const fs::path& path) { sync_path(path, O_RDONLY | O_DIRECTORY); }

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    fail(fmt::format("rename to {}", to.string()).c_str(), from, errno);
  sync_folder(folder_of(to));
}

void write_atomically(const fs::path& path, const std::function<void(const ByteSink&)>& fill) {
  fs::path temporary = path;
  temporary += ".tmp";
  try {
    OutputFile file(temporary);
    fill([&file](std::span<const std::byte> bytes) { file.write(bytes); });
    file.finish();
    rename_durably(temporary, path);
  } catch (...) {
    std::error_code ignored; // the first error is the one to report
    fs::remove(temporary, ignored);
    throw;
  }
}

void write_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  write_atomically(path, [bytes](const ByteSink& sink) { sink(bytes); });
}

void write_text_atomically(const fs::path& path, std::string_view text) {
  write_atomically(path, std::as_bytes(std::span(text.data(), text.size())));
}

} // namespace scoreact
