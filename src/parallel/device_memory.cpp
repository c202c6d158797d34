#include "parallel/device_memory.hpp"

#include <mpi.h>

namespace scoreact {

bool mpi_sums_device_memory() {
#if defined(OPEN_MPI) // its CUDA support ends at non-blocking reductions, which read the pointer on the host
  return false;
#elif defined(MPIX_GPU_SUPPORT_CUDA) // MPICH and its descendants
  int supported = 0;
  return MPIX_GPU_query_support(MPIX_GPU_SUPPORT_CUDA, &supported) == MPI_SUCCESS && supported != 0;
#else
  return false;
#endif
}

} // namespace scoreact
