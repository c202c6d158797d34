#include "store/child_process.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "error/error.hpp"

namespace scoreact {

namespace {

void write_all(int descriptor, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(descriptor, text.data() + done, text.size() - done);
    if (count < 0 && errno != EINTR)
      ::_exit(1);
    done += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

/// Dies silently of what goes wrong: MPI's handlers would print a back trace, the system keep a core.
void expect_the_worst(long seconds) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU})
    std::signal(signal, SIG_DFL);
  const rlimit no_core{0, 0}, time{static_cast<rlim_t>(seconds), static_cast<rlim_t>(seconds + 1)};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::setrlimit(RLIMIT_CPU, &time);
  const int nowhere = ::open("/dev/null", O_WRONLY);
  if (nowhere >= 0)
    ::dup2(nowhere, STDERR_FILENO);
}

/// The outcome as the child sends it: exit code, a space, text.
std::string outcome_of(const std::string& what, const std::function<std::string()>& work) {
  const auto outcome = [](ExitCode code, const std::string& text) {
    return fmt::format("{} {}", static_cast<int>(code), text);
  };
  try {
    return outcome(ExitCode::success, work());
  } catch (const Error& error) {
    return outcome(error.code(), error.what());
  } catch (const std::exception& error) { // sizes in a damaged file may be anything
    return outcome(ExitCode::data, fmt::format("{}: cannot be read: {}", what, error.what()));
  }
}

} // namespace

std::string in_child_process(const std::string& what, long seconds,
                             const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  SCOREACT_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0, ExitCode::internal, "{}: cannot make a pipe: {}",
                   what, std::strerror(errno));
  const pid_t child = ::fork();
  if (child == 0) {
    expect_the_worst(seconds);
    write_all(ends[1], outcome_of(what, work));
    ::_exit(0); // nothing of the parent's is closed or flushed
  }
  const int reason = errno;
  ::close(ends[1]);
  const std::string told = child > 0 ? read_all(ends[0]) : "";
  ::close(ends[0]);
  SCOREACT_REQUIRE(child > 0, ExitCode::internal, "{}: cannot start a process: {}", what,
                   std::strerror(reason));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  SCOREACT_REQUIRE(!WIFSIGNALED(status) || WTERMSIG(status) != SIGXCPU, ExitCode::data,
                   "{}: damaged: reading it takes more than {} s", what, seconds);
  SCOREACT_REQUIRE(!WIFSIGNALED(status), ExitCode::data, "{}: damaged: reading it ends in \"{}\"", what,
                   ::strsignal(WTERMSIG(status)));
  const std::size_t space = told.find(' ');
  SCOREACT_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0 && space != std::string::npos,
                   ExitCode::data, "{}: damaged: reading it ends the process", what);
  const auto code = static_cast<ExitCode>(std::stoi(told));
  if (code != ExitCode::success)
    throw Error(code, told.substr(space + 1));
  return told.substr(space + 1);
}

} // namespace scoreact
