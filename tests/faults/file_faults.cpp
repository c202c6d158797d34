// Preloaded into scoreact by the tests of faults: counts the operations that change files below one folder,
// and at the chosen one kills the process or makes the operation fail. Environment:
//   FAULT_FOLDER   only operations on paths below it count (absolute)
//   FAULT_RANK     the rank that is struck; absent: 0
//   FAULT_AT       number of the operation, from 1; 0 or absent: none
//   FAULT_ACTION   kill  SIGKILL before the operation       torn  SIGKILL after it (a write: after its first
//   half)
//                  eio   the operation fails once with EIO  enospc  it and everything after that needs space
//                  fails                                    slow  every rename, whatever FAULT_AT, takes
//                  three seconds more, as on a file system that others keep busy
//   FAULT_LOG      a line "NUMBER OPERATION PATH" is appended for each (optional)
// Of several ranks only that one is affected.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

std::atomic<long> operations{0};

template <class Function> Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

const char* setting(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

std::string path_of(int descriptor) {
  char link[64], target[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, target, sizeof target);
  return length > 0 ? std::string(target, static_cast<std::size_t>(length)) : "";
}

std::string path_at(int folder, const char* path) {
  return path[0] == '/' || folder == AT_FDCWD ? path : path_of(folder) + "/" + path;
}

bool counts(const std::string& path) {
  static const std::string folder = setting("FAULT_FOLDER");
  static const char* const rank = std::getenv("OMPI_COMM_WORLD_RANK");
  static const std::string chosen = setting("FAULT_RANK");
  static const bool active = !folder.empty() && (rank == nullptr || (chosen.empty() ? "0" : chosen) == rank);
  return active && path.compare(0, folder.size(), folder) == 0;
}

enum class Fate { goes_on, dies_before, dies_after, fails };

/// What happens to the operation, which is counted; errno is set when it fails.
Fate fate_of(const char* operation, const std::string& path, bool needs_space) {
  static const long at = std::atol(setting("FAULT_AT"));
  static const std::string action = setting("FAULT_ACTION");
  static const std::string log = setting("FAULT_LOG");
  if (!counts(path))
    return Fate::goes_on;
  const long number = ++operations;
  if (!log.empty()) {
    const std::string line = std::to_string(number) + " " + operation + " " + path + "\n";
    const int descriptor =
        next<int (*)(const char*, int, ...)>("open")(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (next<ssize_t (*)(int, const void*, size_t)>("write")(descriptor, line.data(), line.size()) < 0)
      std::abort();
    ::close(descriptor);
  }
  if (action == "slow" && std::strcmp(operation, "rename") == 0)
    ::sleep(3);
  if (at <= 0 || number < at)
    return Fate::goes_on;
  if (action == "enospc" && needs_space) {
    errno = ENOSPC;
    return Fate::fails;
  }
  if (number > at)
    return Fate::goes_on;
  if (action == "eio") {
    errno = EIO;
    return Fate::fails;
  }
  return action == "kill" ? Fate::dies_before : action == "torn" ? Fate::dies_after : Fate::goes_on;
}

void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;)
    ::pause();
}

/// Runs `call` as fate wills; `half` is what is done of it before dying in the middle.
template <class Result, class Call, class Half>
Result act(const char* operation, const std::string& path, bool needs_space, const Call& call,
           const Half& half) {
  const Fate fate = fate_of(operation, path, needs_space);
  if (fate == Fate::dies_before)
    die();
  if (fate == Fate::dies_after) {
    half();
    die();
  }
  return fate == Fate::fails ? static_cast<Result>(-1) : call();
}

template <class Result, class Call>
Result act(const char* operation, const std::string& path, bool needs_space, const Call& call) {
  return act<Result>(operation, path, needs_space, call, call);
}

bool writes(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0; }

int open_as(const char* name, const char* path, int flags, mode_t mode) {
  const auto call = [&] { return next<int (*)(const char*, int, ...)>(name)(path, flags, mode); };
  return writes(flags) ? act<int>("open", path, true, call) : call();
}

int openat_as(const char* name, int folder, const char* path, int flags, mode_t mode) {
  const auto call = [&] {
    return next<int (*)(int, const char*, int, ...)>(name)(folder, path, flags, mode);
  };
  return writes(flags) ? act<int>("open", path_at(folder, path), true, call) : call();
}

template <class Offset>
ssize_t pwrite_as(const char* name, int descriptor, const void* bytes, size_t count, Offset at) {
  const auto part = [&](size_t much) {
    return next<ssize_t (*)(int, const void*, size_t, Offset)>(name)(descriptor, bytes, much, at);
  };
  return act<ssize_t>(
      "write", path_of(descriptor), true, [&] { return part(count); }, [&] { return part(count / 2); });
}

} // namespace

#define MODE_OF(flags)                                                                                       \
  mode_t mode = 0;                                                                                           \
  if ((flags)&O_CREAT) {                                                                                     \
    va_list more;                                                                                            \
    va_start(more, flags);                                                                                   \
    mode = va_arg(more, mode_t);                                                                             \
    va_end(more);                                                                                            \
  }

extern "C" {

int open(const char* path, int flags, ...) {
  MODE_OF(flags)
  return open_as("open", path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE_OF(flags)
  return open_as("open64", path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  MODE_OF(flags)
  return openat_as("openat", folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  MODE_OF(flags)
  return openat_as("openat64", folder, path, flags, mode);
}
ssize_t write(int descriptor, const void* bytes, size_t count) {
  const auto part = [&](size_t much) {
    return next<ssize_t (*)(int, const void*, size_t)>("write")(descriptor, bytes, much);
  };
  if (descriptor <= 2)
    return part(count);
  return act<ssize_t>(
      "write", path_of(descriptor), true, [&] { return part(count); }, [&] { return part(count / 2); });
}
ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t at) {
  return pwrite_as("pwrite", descriptor, bytes, count, at);
}
ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off64_t at) {
  return pwrite_as("pwrite64", descriptor, bytes, count, at);
}
ssize_t writev(int descriptor, const iovec* parts, int count) {
  const auto part = [&](int much) {
    return next<ssize_t (*)(int, const iovec*, int)>("writev")(descriptor, parts, much);
  };
  if (descriptor <= 2)
    return part(count);
  return act<ssize_t>(
      "write", path_of(descriptor), true, [&] { return part(count); }, [&] { return part(count / 2); });
}
ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t at) {
  const auto part = [&](int much) {
    return next<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev")(descriptor, parts, much, at);
  };
  return act<ssize_t>(
      "write", path_of(descriptor), true, [&] { return part(count); }, [&] { return part(count / 2); });
}
ssize_t pwritev64(int descriptor, const iovec* parts, int count, off64_t at) {
  const auto part = [&](int much) {
    return next<ssize_t (*)(int, const iovec*, int, off64_t)>("pwritev64")(descriptor, parts, much, at);
  };
  return act<ssize_t>(
      "write", path_of(descriptor), true, [&] { return part(count); }, [&] { return part(count / 2); });
}
int ftruncate(int descriptor, off_t length) {
  return act<int>("truncate", path_of(descriptor), true,
                  [&] { return next<int (*)(int, off_t)>("ftruncate")(descriptor, length); });
}
int ftruncate64(int descriptor, off64_t length) {
  return act<int>("truncate", path_of(descriptor), true,
                  [&] { return next<int (*)(int, off64_t)>("ftruncate64")(descriptor, length); });
}
int fsync(int descriptor) {
  return act<int>("sync", path_of(descriptor), false,
                  [&] { return next<int (*)(int)>("fsync")(descriptor); });
}
int fdatasync(int descriptor) {
  return act<int>("sync", path_of(descriptor), false,
                  [&] { return next<int (*)(int)>("fdatasync")(descriptor); });
}
int rename(const char* from, const char* to) noexcept {
  return act<int>("rename", to, false,
                  [&] { return next<int (*)(const char*, const char*)>("rename")(from, to); });
}
int unlink(const char* path) noexcept {
  return act<int>("remove", path, false, [&] { return next<int (*)(const char*)>("unlink")(path); });
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  return act<int>("remove", path_at(folder, path), false,
                  [&] { return next<int (*)(int, const char*, int)>("unlinkat")(folder, path, flags); });
}
int remove(const char* path) noexcept {
  return act<int>("remove", path, false, [&] { return next<int (*)(const char*)>("remove")(path); });
}
int rmdir(const char* path) noexcept {
  return act<int>("remove", path, false, [&] { return next<int (*)(const char*)>("rmdir")(path); });
}
int mkdir(const char* path, mode_t mode) noexcept {
  return act<int>("mkdir", path, true,
                  [&] { return next<int (*)(const char*, mode_t)>("mkdir")(path, mode); });
}
int symlink(const char* target, const char* path) noexcept {
  return act<int>("link", path, true,
                  [&] { return next<int (*)(const char*, const char*)>("symlink")(target, path); });
}

} // extern "C"
