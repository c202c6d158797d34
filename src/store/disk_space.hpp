#pragma once
/// Space on the disk that is asked for before it is used. Parallel HDF5 does not survive a disk that fills up
/// in the middle: a write that fails on one rank leaves the others waiting in a collective operation inside
/// the library (1.10.8). So the space is reserved first, where a failure is an ordinary error.
#include <cstdint>
#include <filesystem>

namespace scoreact {

/// Reserves `bytes` for the file, whose size does not change; makes it if it is not there. Where the file
/// system cannot reserve, asks how much is free. Throws Error{io} with the system's reason (no space left,
/// quota exceeded).
void reserve_space(const std::filesystem::path& file, std::int64_t bytes);

/// Gives back what lies beyond the end of the file. Throws Error{io}.
void release_reserve(const std::filesystem::path& file);

} // namespace scoreact
