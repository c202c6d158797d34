#pragma once
/// The ranks of a run. A thin owner of a duplicated MPI communicator: reductions and gathers that the library
/// needs, with MPI errors turned into exceptions. Results that must not depend on the number of ranks go
/// through `gather_in_order` (per-sample numbers in global sample order) or TreeSum (gradients).
///
/// No operation waits for ever: each gives up after `patience` seconds with an Error{io} that names the ranks
/// that did not come (parallel/roll_call.hpp).
#include "parallel/failure.hpp"
#include "parallel/roll_call.hpp"

#include <mpi.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace scoreact {

class Communicator {
 public:
  /// Duplicates `parent`; MPI must be initialised. Freed on destruction. Collective.
  /// @param patience seconds that a rank waits for the others; 0 waits for ever
  explicit Communicator(MPI_Comm parent = MPI_COMM_WORLD, double patience = kPatience);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  static constexpr double kPatience = 1800; ///< seconds; as long as c10d's Gloo

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool root() const { return rank_ == 0; }
  MPI_Comm handle() const { return handle_; }
  double patience() const { return patience_; } ///< seconds, 0: for ever
  double communication_time() const; ///< seconds that this rank has spent in the operations below so far

  void sum(float* values, std::size_t count) const; ///< in place, order of additions up to MPI
  double maximum(double value) const;
  void broadcast(std::string& text, int root = 0) const;
  void barrier() const;
  /// Concatenates each rank's block in rank order; with samples dealt in contiguous blocks this is global
  /// sample order. Every rank receives everything. Blocks may differ in length.
  std::vector<double> gather_in_order(const std::vector<double>& block) const;
  /// The same for equal-length rows of raw floats: [ranks, count].
  std::vector<float> gather_floats(const float* block, std::size_t count) const;
  /// Waits until `done` is true, as the operations above do. For operations of other libraries that all ranks
  /// take part in (NCCL); `what` names it in the message.
  void wait_until(const std::function<bool()>& done, const char* what) const;

  /// Does `work` on every rank and agrees on the outcome. If it threw on any rank, all ranks throw an
  /// AgreedError with the message and exit code of the lowest rank that failed: none is left waiting, all
  /// unwind alike. The agreement costs one reduction of an int. Returns what `work` returns.
  template <class Work> std::invoke_result_t<Work> together(Work&& work) const;
  /// The agreement alone: throws AgreedError on all ranks if `mine` is a failure on any.
  void agree(const Failure& mine) const;
  /// The same without an exception, and waiting for at most `seconds`: the failure of the lowest rank that
  /// has one, none if all went well; nothing (nullopt) if the others did not come.
  std::optional<Failure> agree_within(double seconds, const Failure& mine) const;

 private:
  Failure of_lowest(int failed_rank, const Failure& mine) const;

  MPI_Comm handle_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  double patience_ = 0;
  std::unique_ptr<RollCall> others_;
};

template <class Work> std::invoke_result_t<Work> Communicator::together(Work&& work) const {
  using Result = std::invoke_result_t<Work>;
  if (size_ == 1)
    return work();
  std::conditional_t<std::is_void_v<Result>, int, std::optional<Result>> result{};
  Failure mine;
  try {
    if constexpr (std::is_void_v<Result>)
      work();
    else
      result.emplace(work());
  } catch (...) {
    if (others_->broken()) // there is nobody to agree with
      throw;
    mine = failure_of(std::current_exception(), rank_);
  }
  agree(mine);
  if constexpr (!std::is_void_v<Result>)
    return std::move(*result);
}

} // namespace scoreact
