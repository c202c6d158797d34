#pragma once
/// Whether this MPI can be given pointers into GPU memory. Asked at run time, as the library may be another
/// one than at compile time; Debian's Open MPI says no.
namespace scoreact {

bool mpi_reads_device_memory();

} // namespace scoreact
