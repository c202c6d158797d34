/// Main of every test program: MPI, Kokkos and, where it is linked, torch run, rank 0 reports, and a failure
/// on any rank is printed and fails all.
#include "kernels/runtime.hpp"

#include <gtest/gtest.h>
#include <mpi.h>

// The sanitized programs (tests/sanitized) have no LibTorch.
#if __has_include(<ATen/Parallel.h>)
#include <ATen/Parallel.h>
#define SCOREACT_TEST_WITH_TORCH
#endif

#include <cstdio>

namespace {

/// On ranks other than 0: silent but for failures, which name the rank.
class FailuresOnly : public testing::EmptyTestEventListener {
 public:
  explicit FailuresOnly(int rank) : rank_(rank) {}
  void OnTestStart(const testing::TestInfo& info) override { test_ = &info; }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed())
      return;
    std::fprintf(stderr, "rank %d, %s.%s, %s:%d: %s\n", rank_, test_ ? test_->test_suite_name() : "",
                 test_ ? test_->name() : "set-up", result.file_name() ? result.file_name() : "?",
                 result.line_number(), result.message());
  }

 private:
  int rank_;
  const testing::TestInfo* test_ = nullptr;
};

/// With several ranks: a rank that leaves a test early would let the others wait for it for ever.
class FatalFailureEndsAllRanks : public testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.fatally_failed())
      return;
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
};

} // namespace

int main(int argc, char** argv) {
  int provided = 0;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS)
    return 70;
  testing::InitGoogleTest(&argc, argv);
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank > 0) {
    delete listeners.Release(listeners.default_result_printer());
    delete listeners.Release(listeners.default_xml_generator());
    listeners.Append(new FailuresOnly(rank));
  }
  if (ranks > 1) {
    listeners.Append(new FatalFailureEndsAllRanks); // after those that print it
    testing::GTEST_FLAG(catch_exceptions) = false;  // destructors with a barrier would wait, too: terminate
  }
#ifdef SCOREACT_TEST_WITH_TORCH
  at::set_num_threads(1);
#endif
  int failed = 0;
  {
    const scoreact::kernels::Runtime kokkos(1);
    failed = RUN_ALL_TESTS();
  }
  int failed_anywhere = failed;
  MPI_Allreduce(&failed, &failed_anywhere, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  if (rank == 0 && failed_anywhere && !failed)
    std::fprintf(stderr, "all tests passed on rank 0, but not on another rank (see above)\n");
  MPI_Finalize();
  return failed_anywhere;
}
