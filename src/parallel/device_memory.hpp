#pragma once
/// Whether this MPI's MPI_Iallreduce can be given pointers into GPU memory: every wait of ours has a limit,
/// so the non-blocking form is the one in use. Open MPI's crashes on them, also where
/// MPIX_Query_cuda_support() says yes (open-mpi/ompi #9845, #12045); MPICH and its descendants are asked at
/// run time, as the library may be another one than at compile time.
namespace scoreact {

bool mpi_sums_device_memory();

} // namespace scoreact
