#pragma once
/// What went wrong on one rank, in a form that travels to the others, and the exception that all ranks throw
/// once they have agreed on it (Communicator::together).
#include "error/error.hpp"

#include <exception>
#include <string>

namespace scoreact {

struct Failure {
  ExitCode code = ExitCode::success;
  int rank = 0; ///< where it happened
  std::string message;
  explicit operator bool() const { return code != ExitCode::success; }
};

/// A failure that every rank knows of: thrown on all of them at the same place.
class AgreedError : public Error {
 public:
  explicit AgreedError(const Failure& failure) : Error(failure.code, failure.message), failure_(failure) {}
  const Failure& failure() const noexcept { return failure_; }

 private:
  Failure failure_;
};

/// The exception in one sentence and with its exit code; of an AgreedError, the failure as it was agreed on.
/// Back traces that LibTorch appends to its messages are left out.
Failure failure_of(const std::exception_ptr&, int rank);

} // namespace scoreact
