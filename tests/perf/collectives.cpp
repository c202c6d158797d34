/// What the exchanges between ranks cost, by size:
///
///     mpirun -n 4 build/bin/bench_collectives
///
/// `tree`: TreeSum::finish with one leaf a rank, how gradients are summed with run.deterministic;
/// `allreduce`: Communicator::sum, without it; `gather`: Communicator::gather_in_order, per-sample numbers.
/// Seconds a call, the median over repetitions of the slowest rank; the ranks start together.
#include <fmt/format.h>
#include <mpi.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/tree_sum.hpp"

namespace scoreact {
namespace {

double median_seconds(const Communicator& ranks, int repetitions, const std::function<void()>& call) {
  std::vector<double> seconds;
  for (int repetition = 0; repetition <= repetitions; ++repetition) {
    ranks.barrier();
    const double start = MPI_Wtime();
    call();
    const double slowest = ranks.maximum(MPI_Wtime() - start);
    if (repetition > 0) // the first one warms up
      seconds.push_back(slowest);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void run(int count, char** words) {
  int repetitions = 11;
  long most = 1L << 24;
  CLI::App app{"Seconds of the exchanges between ranks, by size"};
  app.add_option("--repeat", repetitions, "of each")->capture_default_str();
  app.add_option("--most", most, "largest number of floats")->capture_default_str();
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return;
  }
  const Communicator ranks;
  if (ranks.root()) {
    fmt::print("{} rank(s), median of {}\n\n| {:>10} | {:>8} | {:>9} | {:>9} | {:>12} |\n", ranks.size(),
               repetitions, "floats", "MB", "tree s", "allreduce", "gather s");
    fmt::print("|{:->11}:|{:->9}:|{:->10}:|{:->10}:|{:->13}:|\n", "", "", "", "", "");
  }
  for (long floats = 256; floats <= most; floats *= 8) {
    const auto length = static_cast<std::size_t>(floats);
    std::vector<float> values(length, 1.0F), sum(length);
    const double tree = median_seconds(ranks, repetitions, [&] {
      TreeSum all(ranks, ranks.size(), ranks.rank(), 1, length);
      all.add(values.data());
      all.finish(sum.data());
    });
    const double allreduce = median_seconds(ranks, repetitions, [&] { ranks.sum(sum.data(), sum.size()); });
    const std::vector<double> block(length / 2 / static_cast<std::size_t>(ranks.size()), 1.0);
    const double gather = median_seconds(ranks, repetitions, [&] { (void)ranks.gather_in_order(block); });
    if (ranks.root())
      fmt::print("| {:>10} | {:>8.3f} | {:>9.6f} | {:>9.6f} | {:>12.6f} |\n", floats,
                 static_cast<double>(floats) * 4e-6, tree, allreduce, gather);
  }
}

} // namespace
} // namespace scoreact

int main(int count, char** words) {
  MPI_Init(&count, &words);
  try {
    scoreact::run(count, words);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_collectives: {}\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  MPI_Finalize();
}
