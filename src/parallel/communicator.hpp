#pragma once
/// The ranks of a run. A thin owner of a duplicated MPI communicator: reductions and gathers that the library
/// needs, with MPI errors turned into exceptions. Results that must not depend on the number of ranks go
/// through `gather_in_order` (per-sample numbers in global sample order) or TreeSum (gradients).
#include <mpi.h>

#include <cstddef>
#include <string>
#include <vector>

namespace scoreact {

class Communicator {
 public:
  /// Duplicates `parent`; MPI must be initialised. Freed on destruction.
  explicit Communicator(MPI_Comm parent = MPI_COMM_WORLD);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool root() const { return rank_ == 0; }
  MPI_Comm handle() const { return handle_; }

  void sum(float* values, std::size_t count) const; ///< in place, order of additions up to MPI
  double maximum(double value) const;
  void broadcast(std::string& text, int root = 0) const;
  void barrier() const;
  /// Concatenates each rank's block in rank order; with samples dealt in contiguous blocks this is global
  /// sample order. Every rank receives everything. Blocks may differ in length.
  std::vector<double> gather_in_order(const std::vector<double>& block) const;
  /// The same for equal-length rows of raw floats: [ranks, count].
  std::vector<float> gather_floats(const float* block, std::size_t count) const;

 private:
  MPI_Comm handle_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

} // namespace scoreact
