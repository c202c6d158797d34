/// scoreact: command line and deck, then MPI, device, Kokkos and threads, then one command, then everything
/// down again.
#include "command_line.hpp"
#include "kernels/runtime.hpp"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <mpi.h>
#include <torch/cuda.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#ifdef SCOREACT_WITH_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace scoreact {
namespace {

/// Rank as the launcher tells it, so that before MPI_Init one process speaks for all.
int launched_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"})
    if (const char* value = std::getenv(name))
      return std::atoi(value);
  return 0;
}

/// OMP_NUM_THREADS, else 1: the networks here are small, ranks are how more cores are used, and results must
/// not depend on the number of cores.
int host_threads() {
  const char* value = std::getenv("OMP_NUM_THREADS");
  return value ? std::max(1, std::atoi(value)) : 1;
}

/// Waiting OpenMP threads spin by default, which costs a factor of 30 where ranks share cores. libgomp reads
/// its environment before main, hence the program starts itself anew, once, if it will have such threads.
void wait_passively(char** argv) {
  if (host_threads() < 2 || std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT"))
    return;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv("/proc/self/exe", argv); // returns only if it failed, and then threads spin
}

/// The CUDA device of this rank, -1 for the host. Ranks of one node take its devices in turn.
int choose_device(const std::string& wanted) {
  if (wanted == "cpu")
    return -1;
#ifdef SCOREACT_WITH_CUDA
  const int devices = static_cast<int>(torch::cuda::device_count());
  if (devices > 0) {
    MPI_Comm node = MPI_COMM_NULL;
    int local_rank = 0;
    SCOREACT_CHECK_MPI(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
    SCOREACT_CHECK_MPI(MPI_Comm_rank(node, &local_rank));
    SCOREACT_CHECK_MPI(MPI_Comm_free(&node));
    const int device = local_rank % devices;
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
    return device;
  }
#endif
#ifdef SCOREACT_WITH_CUDA
  const char* const reason = "this machine has none";
#else
  const char* const reason = "this scoreact was built without CUDA";
#endif
  SCOREACT_REQUIRE(wanted != "cuda", ExitCode::data,
                   "run.device = cuda: expected a CUDA device, but {}; auto and cpu run here", reason);
  return -1;
}

ExitCode run(const Invocation& invocation) {
  if (invocation.command == "pretrain")
    return run_pretrain(invocation);
  if (invocation.command == "finetune")
    return run_finetune(invocation);
  if (invocation.command == "sample")
    return run_sample(invocation);
  if (invocation.command == "evaluate")
    return run_evaluate(invocation);
  if (invocation.command == "value-study")
    return run_value_study(invocation);
  if (invocation.command == "verify")
    return run_verify(invocation);
  if (invocation.command == "forward")
    return run_forward(invocation);
  if (invocation.command == "inspect")
    return run_inspect(invocation);
  SCOREACT_FAIL(ExitCode::internal, "command {} is not wired to a function", invocation.command);
}

/// Calls `action`, turning exceptions into a message on standard error and an exit code.
template <class Action> ExitCode guarded(int rank, bool print, Action&& action) {
  const auto report = [&](const char* message, ExitCode code) {
    if (print)
      std::fprintf(stderr, "scoreact: rank %d: %s\n", rank, message);
    return code;
  };
  try {
    return action();
  } catch (const Error& error) {
    return report(error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return report("out of memory", ExitCode::internal);
  } catch (const c10::Error& error) {
    return report(error.what_without_backtrace(), ExitCode::internal);
  } catch (const std::exception& error) {
    return report(error.what(), ExitCode::internal);
  } catch (...) {
    return report("unknown exception", ExitCode::internal);
  }
}

ExitCode run_under_mpi(Invocation& invocation, int rank) {
  invocation.threads = host_threads();
  invocation.device_id = choose_device(invocation.device);
  const kernels::Runtime kokkos(invocation.threads, invocation.device_id);
  at::set_num_threads(invocation.threads);
  at::set_num_interop_threads(1);
  const ExitCode code = run(invocation);
  if (rank == 0)
    std::fflush(stdout);
  return code;
}

} // namespace
} // namespace scoreact

int main(int argc, char** argv) {
  using namespace scoreact;
  CommandLine line;
  const int launched = launched_rank();
  const ExitCode parsed = guarded(launched, launched == 0, [&] {
    line = parse_command_line(argc, argv);
    if (line.answered && launched == 0)
      std::fputs(line.answer.c_str(), stdout);
    return ExitCode::success;
  });
  if (parsed != ExitCode::success || line.answered) {
    const bool written = std::fflush(stdout) == 0 && !std::ferror(stdout);
    return static_cast<int>(parsed != ExitCode::success || written ? parsed : ExitCode::io);
  }
  wait_passively(argv);

  int provided = 0, rank = 0, ranks = 1;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS)
    return static_cast<int>(ExitCode::internal);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN); // check_mpi turns errors into exceptions
  const ExitCode code = guarded(rank, true, [&] { return run_under_mpi(line.invocation, rank); });
  const bool failed =
      code != ExitCode::success && code != ExitCode::stopped_early && code != ExitCode::check_failed;
  if (failed && ranks > 1)
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code)); // other ranks may wait for this one
  MPI_Finalize();
  return static_cast<int>(code);
}
