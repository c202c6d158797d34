#include "error/error.hpp"

#include <mpi.h>

namespace scoreact {

void check_mpi(int status, const char* call) {
  if (status == MPI_SUCCESS)
    return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(status, text, &length);
  SCOREACT_FAIL(ExitCode::internal, "{} failed: {}", call,
                std::string(text, static_cast<std::size_t>(length)));
}

} // namespace scoreact
