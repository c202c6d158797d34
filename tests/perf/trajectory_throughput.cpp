/// How fast an epoch's trajectories reach the disk, beside what the file system does with the same bytes:
///
///     mpirun -n 4 build/bin/bench_trajectory_file --folder DIR
///
/// In turn, several times: (1) every rank writes its share of the bytes into one plain file with pwrite and
/// brings it to the disk with fsync, (2) write_trajectory_file, plain, (3) the same with gzip. One table row
/// each, MB = 10^6 bytes of trajectories (before compression), the median over the repetitions.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <mpi.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "error/error.hpp"
#include "kernels/normal_noise.hpp"
#include "kernels/runtime.hpp"
#include "store/atomic_file.hpp"
#include "store/trajectory_file.hpp"

namespace scoreact {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::string folder = ".";
  std::int64_t steps = 50, samples = 32;
  std::vector<std::int64_t> shape{4, 64, 64}; ///< latents of a picture of 512 x 512
  int repetitions = 5;
  std::vector<int> gzip_levels{1, 4};
};

struct Rank {
  int number = 0, of = 1;
};

/// This rank's part of an epoch of Gaussian numbers, which compress as badly as noisy states do.
class Epoch {
 public:
  Epoch(const Settings& settings, const Rank& rank) {
    const std::int64_t first = settings.samples * rank.number / rank.of;
    const std::int64_t count = settings.samples * (rank.number + 1) / rank.of - first;
    std::int64_t elements = 1;
    for (const std::int64_t extent : settings.shape)
      elements *= extent;
    const std::int64_t rows = settings.steps * count;
    large_.resize(static_cast<std::size_t>((settings.steps + 1) * count * elements));
    kernels::normal_noise({}, {42, 0, 0, kernels::Purpose::initial_state}, first * (settings.steps + 1),
                          {large_.data(), static_cast<long>((settings.steps + 1) * count), elements});
    per_row_.assign(static_cast<std::size_t>(rows), 0.5);
    reward_.assign(static_cast<std::size_t>(count), 0.5F);
    for (std::int64_t sample = first; sample < first + count; ++sample) {
      index_.push_back(sample);
      block_.prompts.push_back(fmt::format("{}", sample % 10));
    }
    block_.steps = settings.steps;
    block_.samples = count;
    block_.first_sample = first;
    block_.sample_shape = settings.shape;
    block_.states = block_.action = block_.mean = block_.mean_pre = large_.data();
    block_.log_prob = block_.kl_step = block_.kl_chain_step = block_.train_weight = per_row_.data();
    block_.reward = reward_.data();
    block_.sample_index = index_.data();
    const std::vector<double> one_a_step(static_cast<std::size_t>(settings.steps), 0.5);
    block_.tau = block_.abar = std::vector<double>(static_cast<std::size_t>(settings.steps) + 1, 0.5);
    block_.weight = block_.keep = block_.push = block_.spread = block_.girsanov = block_.drift = block_.s_a =
        one_a_step;
    block_.solver = "ddim";
    bytes_ = static_cast<std::int64_t>(sizeof(float)) * count * elements * (4 * settings.steps + 1);
  }
  const TrajectoryBlock& block() const { return block_; }
  /// Of the four large arrays on this rank.
  std::int64_t bytes() const { return bytes_; }
  const char* data() const { return reinterpret_cast<const char*>(large_.data()); }
  std::int64_t data_bytes() const { return static_cast<std::int64_t>(large_.size() * sizeof(float)); }

 private:
  std::vector<float> large_, reward_;
  std::vector<double> per_row_;
  std::vector<std::int64_t> index_;
  TrajectoryBlock block_;
  std::int64_t bytes_ = 0;
};

/// The file system's own: each rank its share into one file, in large pieces, then fsync.
void write_plainly(const fs::path& path, const Epoch& epoch) {
  std::int64_t before = 0;
  const std::int64_t mine = epoch.bytes();
  MPI_Exscan(&mine, &before, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  SCOREACT_REQUIRE(file >= 0, ExitCode::io, "{}: cannot create it", path.string());
  for (std::int64_t done = 0; done < mine;) {
    const std::int64_t piece = std::min({mine - done, epoch.data_bytes(), std::int64_t{1} << 26});
    const ssize_t written = ::pwrite(file, epoch.data(), static_cast<std::size_t>(piece), before + done);
    SCOREACT_REQUIRE(written > 0, ExitCode::io, "{}: cannot write", path.string());
    done += written;
  }
  SCOREACT_REQUIRE(::fsync(file) == 0 && ::close(file) == 0, ExitCode::io, "{}: cannot bring it to the disk",
                   path.string());
}

class Benchmark {
 public:
  Benchmark(const Settings& settings, const Rank& rank)
      : settings_(settings), rank_(rank), path_(fs::path(settings.folder) / "bench_trajectory_file.tmp") {}

  /// Seconds between two barriers; the file is gone and the disk idle before.
  double seconds_of(const std::function<void(const fs::path&)>& write) {
    if (rank_.number == 0) {
      std::error_code ignored;
      fs::remove(path_, ignored);
      sync_folder(settings_.folder);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = MPI_Wtime();
    write(path_);
    MPI_Barrier(MPI_COMM_WORLD);
    const double seconds = MPI_Wtime() - start;
    if (rank_.number == 0) {
      size_ = static_cast<double>(fs::file_size(path_));
      fs::remove(path_);
    }
    return seconds;
  }

  void run() {
    const Epoch epoch(settings_, rank_);
    double total = 0;
    const auto mine = static_cast<double>(epoch.bytes());
    MPI_Allreduce(&mine, &total, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    std::vector<Way> ways{{"pwrite + fsync", [&](const fs::path& path) { write_plainly(path, epoch); }},
                          {"trajectory file", [&](const fs::path& path) { write_hdf5(path, epoch, 0); }}};
    for (const int level : settings_.gzip_levels)
      ways.push_back({fmt::format("trajectory file, gzip {}", level),
                      [&, level](const fs::path& path) { write_hdf5(path, epoch, level); }});
    for (int repetition = 0; repetition <= settings_.repetitions; ++repetition) {
      for (Way& way : ways) {
        const double seconds = seconds_of(way.write);
        if (repetition > 0) // the first round warms up
          way.seconds.push_back(seconds);
        way.size = size_;
      }
    }
    if (rank_.number != 0)
      return;
    fmt::print("{} samples of {} x {} steps, {:.0f} MB, {} rank(s), {} repetitions, folder {}\n\n",
               settings_.samples, fmt::join(settings_.shape, " x "), settings_.steps, total / 1e6, rank_.of,
               settings_.repetitions, settings_.folder);
    fmt::print("| {:<26} | {:>7} | {:>7} | {:>7} | {:>9} | {:>9} |\n", "", "s", "fastest", "MB/s",
               "of pwrite", "file size");
    fmt::print("|{:-<28}|{:->8}:|{:->8}:|{:->8}:|{:->10}:|{:->10}:|\n", "", "", "", "", "", "");
    const double plain = ways.front().median();
    for (Way& way : ways) {
      const double middle = way.median();
      fmt::print("| {:<26} | {:>7.2f} | {:>7.2f} | {:>7.0f} | {:>8.0f}% | {:>8.0f}% |\n", way.name, middle,
                 *std::min_element(way.seconds.begin(), way.seconds.end()), total / middle / 1e6,
                 100 * plain / middle, 100 * way.size / total);
    }
  }

 private:
  struct Way {
    std::string name;
    std::function<void(const fs::path&)> write;
    std::vector<double> seconds{};
    double size = 0;
    double median() {
      std::sort(seconds.begin(), seconds.end());
      return seconds[seconds.size() / 2];
    }
  };

  static void write_hdf5(const fs::path& path, const Epoch& epoch, int compression) {
    SCOREACT_REQUIRE(write_trajectory_file(path, epoch.block(), MPI_COMM_WORLD, compression),
                     ExitCode::internal, "the transfers were not collective");
  }

  const Settings& settings_;
  Rank rank_;
  fs::path path_;
  double size_ = 0;
};

int run(int count, char** words) {
  Settings settings;
  CLI::App app{"Throughput of trajectory files beside the file system's own"};
  app.add_option("--folder", settings.folder, "on the file system to measure")->capture_default_str();
  app.add_option("--steps", settings.steps, "K")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--samples", settings.samples, "of all ranks")->capture_default_str();
  app.add_option("--shape", settings.shape, "of a sample, C,H,W")->delimiter(',')->capture_default_str();
  app.add_option("--repeat", settings.repetitions, "of each")->capture_default_str();
  app.add_option("--gzip", settings.gzip_levels, "levels, none: 0")->delimiter(',')->capture_default_str();
  CLI11_PARSE(app, count, words);
  std::erase(settings.gzip_levels, 0);
  Rank rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank.number);
  MPI_Comm_size(MPI_COMM_WORLD, &rank.of);
  Benchmark(settings, rank).run();
  return 0;
}

} // namespace
} // namespace scoreact

int main(int count, char** words) {
  MPI_Init(&count, &words);
  int status = 1;
  try {
    const scoreact::kernels::Runtime runtime;
    status = scoreact::run(count, words);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_trajectory_file: {}\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, status);
  }
  MPI_Finalize();
  return status;
}
