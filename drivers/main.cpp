/// scoreact: command line and deck, then MPI, device, Kokkos and threads, then one command, then everything
/// down again.
#include "command_line.hpp"
#include "kernels/runtime.hpp"
#include "store/hdf5_handle.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <malloc.h>
#include <mpi.h>
#include <torch/cuda.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>

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

/// Memory that a step has freed stays with the process: by default glibc gives arrays of a megabyte back to
/// the system, which has to clear them again for the next step (5 to 10 % of an epoch here).
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

/// Number of this rank among those on its computer.
int rank_on_node(MPI_Comm ranks) {
  MPI_Comm node = MPI_COMM_NULL;
  int local_rank = 0;
  SCOREACT_CHECK_MPI(MPI_Comm_split_type(ranks, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
  SCOREACT_CHECK_MPI(MPI_Comm_rank(node, &local_rank));
  SCOREACT_CHECK_MPI(MPI_Comm_free(&node));
  return local_rank;
}

/// The CUDA device of this rank, -1 for the host. Ranks of one node take its devices in turn. Made current
/// before anything else touches CUDA: each rank would otherwise have a context on device 0 as well.
int choose_device(const std::string& wanted, [[maybe_unused]] int local_rank) {
  if (wanted == "cpu")
    return -1;
#ifdef SCOREACT_WITH_CUDA
  const int devices = static_cast<int>(torch::cuda::device_count());
  if (devices > 0) {
    const int device = local_rank % devices;
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
    return device;
  }
  const char* const reason = "this machine has none";
#else
  const char* const reason = "this scoreact was built without CUDA";
#endif
  SCOREACT_REQUIRE(wanted != "cuda", ExitCode::data,
                   "run.device = cuda: expected a CUDA device, but {}; auto and cpu run here", reason);
  return -1;
}

/// Seconds that a rank waits for another: the deck's run.communication_timeout.
double patience(const Invocation& invocation) {
  if (!invocation.deck)
    return Communicator::kPatience;
  const std::string& limit = invocation.deck->run.communication_timeout;
  return limit.empty() ? 0.0 : seconds_of_duration(limit, "run.communication_timeout");
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
  if (invocation.command == "convert")
    return run_convert(invocation);
  if (invocation.command == "make-fixture")
    return run_make_fixture(invocation);
  if (invocation.command == "fid")
    return run_fid(invocation);
  if (invocation.command == "goldens")
    return run_goldens(invocation);
  SCOREACT_FAIL(ExitCode::internal, "command {} is not wired to a function", invocation.command);
}

void print(const Failure& failure) {
  std::fprintf(stderr, "scoreact: rank %d: %s\n", failure.rank, failure.message.c_str());
}

/// Calls `action`; what it throws becomes a Failure of this rank.
template <class Action> Failure failure_in(int rank, Action&& action) {
  try {
    action();
    return {};
  } catch (...) {
    return failure_of(std::current_exception(), rank);
  }
}

bool is_failure(ExitCode code) {
  return code != ExitCode::success && code != ExitCode::stopped_early && code != ExitCode::check_failed;
}

ExitCode run_under_mpi(Invocation& invocation, const Communicator& ranks) {
  invocation.threads = host_threads();
  invocation.patience = ranks.patience();
  const int local_rank = rank_on_node(ranks.handle());
  invocation.device_id = ranks.together([&] { return choose_device(invocation.device, local_rank); });
  const kernels::Runtime kokkos(invocation.threads, invocation.device_id);
  if (invocation.device_id >= 0 && !kernels::kernels_run_on_device() && ranks.root() && !invocation.quiet)
    std::fputs(
        "scoreact: notice: networks run on CUDA devices, kernels on the host through pinned copies, as "
        "this Kokkos was built without CUDA\n",
        stderr);
  at::set_num_threads(invocation.threads);
  at::set_num_interop_threads(1);
  // LibTorch lets cuDNN round to TF32 unless told otherwise
  const bool tf32 = invocation.deck && invocation.deck->run.precision == "tf32";
  at::globalContext().setAllowTF32CuDNN(tf32);
  at::globalContext().setAllowTF32CuBLAS(tf32);
  // with run.deterministic = false cuDNN may try its algorithms out and take the fastest
  const bool any_algorithm = invocation.deck && !invocation.deck->run.deterministic;
  at::globalContext().setBenchmarkCuDNN(any_algorithm);
  at::globalContext().setDeterministicCuDNN(!any_algorithm);
  const ExitCode code = run(invocation);
  if (ranks.root())
    std::fflush(stdout);
  return code;
}

/// Runs the command and ends all ranks alike: with one message, of the rank that failed, and with its exit
/// code. A failure that only this rank knows of ends the others by MPI_Abort, wherever they wait.
ExitCode run_and_agree(Invocation& invocation, const Communicator& ranks) {
  constexpr double kOthersFailToo = 1; // seconds that they may take
  ExitCode code = ExitCode::success;
  std::optional<Failure> known; // to all ranks
  const Failure mine = failure_in(ranks.rank(), [&] {
    try {
      code = run_under_mpi(invocation, ranks);
      SCOREACT_REQUIRE(!is_failure(code), code, "{} failed", invocation.command);
      ranks.agree({});
    } catch (const AgreedError& error) {
      known = error.failure();
    }
  });
  if (mine)
    failure_in(ranks.rank(), [&] { known = ranks.agree_within(kOthersFailToo, mine); });
  if (!known && !mine)
    return code;
  const Failure& failure = known ? *known : mine;
  if (!known || failure.rank == ranks.rank())
    print(failure);
  if (!known)
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(failure.code));
  return failure.code;
}

} // namespace
} // namespace scoreact

int main(int argc, char** argv) {
  using namespace scoreact;
  std::signal(SIGXFSZ, SIG_IGN); // a file over the user's limit is an error of the write, with a message
  CommandLine line;
  const int launched = launched_rank();
  const Failure failure = failure_in(launched, [&] {
    line = parse_command_line(argc, argv);
    if (line.answered && launched == 0)
      std::fputs(line.answer.c_str(), stdout);
  });
  if (failure) {
    if (launched == 0)
      print(failure);
    return static_cast<int>(failure.code);
  }
  if (line.answered) {
    const bool written = std::fflush(stdout) == 0 && !std::ferror(stdout);
    return static_cast<int>(written ? ExitCode::success : ExitCode::io);
  }
  wait_passively(argv);
  keep_freed_memory();

  int provided = 0;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS)
    return static_cast<int>(ExitCode::internal);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN); // check_mpi turns errors into exceptions
  ExitCode code = ExitCode::success;
  const Failure at_start = failure_in(launched, [&] {
    const Communicator ranks(MPI_COMM_WORLD, patience(line.invocation));
    code = run_and_agree(line.invocation, ranks);
  });
  if (at_start) {
    print(at_start);
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(at_start.code));
  }
  if (hdf5_must_not_be_finalised()) {
    std::fflush(nullptr);
    std::_Exit(static_cast<int>(code));
  }
  MPI_Finalize();
  return static_cast<int>(code);
}
