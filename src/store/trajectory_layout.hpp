#pragma once
/// What the ranks have to agree on before they write a trajectory file together: the communicator of the
/// file, and the extents that follow from all their blocks.
#include <mpi.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <limits>

#include "error/error.hpp"
#include "parallel/failure.hpp"
#include "store/trajectory_file.hpp"

namespace scoreact {

/// A plain duplicate of a communicator, freed when it goes.
class FileRanks {
 public:
  explicit FileRanks(MPI_Comm original) {
    SCOREACT_CHECK_MPI(MPI_Comm_dup(original, &comm_));
    SCOREACT_CHECK_MPI(MPI_Comm_rank(comm_, &rank_));
    SCOREACT_CHECK_MPI(MPI_Comm_size(comm_, &size_));
  }
  ~FileRanks() { MPI_Comm_free(&comm_); }
  FileRanks(const FileRanks&) = delete;
  FileRanks& operator=(const FileRanks&) = delete;
  MPI_Comm get() const { return comm_; }
  int rank() const { return rank_; }
  int size() const { return size_; }

  /// Runs `work` on every rank; if it threw on any, throws AgreedError on all with the message of the lowest
  /// of them, so that no rank waits in a collective for another.
  template <class Work> void together(const Work& work) const {
    Failure mine;
    try {
      work();
    } catch (...) {
      mine = failure_of(std::current_exception(), rank_);
    }
    agree(mine);
  }

 private:
  void agree(Failure mine) const; ///< throws AgreedError on all ranks if `mine` is a failure on any

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

/// What is the same for all ranks and follows from all their blocks.
struct TrajectoryLayout {
  std::int64_t samples = 0;                                              ///< B of all ranks
  std::int64_t most_samples = 0;                                         ///< of one rank
  std::int64_t least_samples = std::numeric_limits<std::int64_t>::max(); ///< of one rank that has some
  std::int64_t prompt_bytes = 1;                                         ///< of the longest prompt
};

/// Compares the blocks of all ranks. Throws Error{internal} on all of them if they don't fit together.
/// Collective.
TrajectoryLayout agree_on_layout(const FileRanks& comm, const std::filesystem::path& file,
                                 const TrajectoryBlock& block);

} // namespace scoreact
