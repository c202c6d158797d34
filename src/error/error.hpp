#pragma once
/// Errors of the whole program: one exception type that carries the process's exit code (README.md,
/// exit codes), and one macro family. Messages name what the user wrote, what was expected and what was
/// found. Caught once, in drivers/main.cpp.
#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace scoreact {

enum class ExitCode : int {
  success = 0,
  check_failed = 1,
  usage = 64,
  data = 65,
  missing_input = 66,
  internal = 70,
  io = 74,
  stopped_early = 75,
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// Throws Error{internal} naming the call when an MPI call failed.
void check_mpi(int status, const char* call);

} // namespace scoreact

#define SCOREACT_FAIL(code, ...) throw ::scoreact::Error((code), ::fmt::format(__VA_ARGS__))
#define SCOREACT_REQUIRE(condition, code, ...)                                                               \
  do {                                                                                                       \
    if (!(condition))                                                                                        \
      SCOREACT_FAIL(code, __VA_ARGS__);                                                                      \
  } while (false)
#define SCOREACT_CHECK_MPI(call) ::scoreact::check_mpi((call), #call)
