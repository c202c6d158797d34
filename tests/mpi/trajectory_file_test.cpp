#include "store/trajectory_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "error/error.hpp"

namespace scoreact {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSteps = 4, kSamples = 5, kElements = 3 * 2 * 2;

int rank_of_world() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

/// A folder that all ranks know, removed by rank 0.
class SharedFolder {
 public:
  SharedFolder() {
    long number = ::getpid();
    MPI_Bcast(&number, 1, MPI_LONG, 0, MPI_COMM_WORLD);
    path_ = fs::temp_directory_path() / fmt::format("scoreact_trajectories_{}", number);
    if (rank_of_world() == 0)
      fs::create_directories(path_);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  ~SharedFolder() {
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank_of_world() == 0)
      fs::remove_all(path_);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// Value of a dataset at (time, sample, element), different for all of them.
double value(int dataset, std::int64_t time, std::int64_t sample, std::int64_t element = 0) {
  return dataset + 0.25 * static_cast<double>(time) + 16.0 * static_cast<double>(sample) +
         1000.0 * static_cast<double>(element) + 1.0 / 3;
}

/// The samples [first, first + count) of a batch that does not depend on how it is split.
struct Part {
  Part(std::int64_t first, std::int64_t count) {
    const auto fill = [&](auto& array, int dataset, std::int64_t times, std::int64_t elements) {
      for (std::int64_t k = 0; k < times; ++k) {
        for (std::int64_t b = first; b < first + count; ++b) {
          for (std::int64_t e = 0; e < elements; ++e) {
            array.push_back(
                static_cast<typename std::decay_t<decltype(array)>::value_type>(value(dataset, k, b, e)));
          }
        }
      }
    };
    fill(states, 1, kSteps + 1, kElements);
    fill(action, 2, kSteps, kElements);
    fill(mean, 3, kSteps, kElements);
    fill(log_prob, 4, kSteps, 1);
    fill(kl_step, 5, kSteps, 1);
    fill(kl_chain_step, 6, kSteps, 1);
    fill(advantage, 7, kSteps, 1);
    fill(reward, 8, 1, 1);
    fill(train_weight, 9, kSteps, 1);
    for (std::int64_t b = first; b < first + count; ++b) {
      index.push_back(b);
      block.prompts.push_back(b == 2 ? "a größer prompt" : fmt::format("{}", b % 10));
    }
    block.steps = kSteps;
    block.samples = count;
    block.first_sample = first;
    block.sample_shape = {3, 2, 2};
    block.states = states.data();
    block.action = action.data();
    block.mean = mean.data();
    block.log_prob = log_prob.data();
    block.kl_step = kl_step.data();
    block.kl_chain_step = kl_chain_step.data();
    block.train_weight = train_weight.data();
    // an optional array must be there on all ranks or on none, also where a rank has no samples
    static const float nothing = 0;
    block.mean = count > 0 ? mean.data() : &nothing;
    block.advantage = count > 0 ? advantage.data() : &nothing;
    block.reward = reward.data();
    block.sample_index = index.data();
    block.tau = block.abar = {0, 0.25, 0.5, 0.75, 1};
    block.weight = block.keep = block.push = block.spread = block.girsanov = block.drift =
        block.s_a = {0.5, 0.25, 0.125, 0};
    block.solver = "ddim";
    block.eta = 1;
    block.lambda = 0.1;
    block.attributes = {{"deck", std::string(100'000, 'd')}, {"epoch", std::int64_t{12}}};
  }
  std::vector<float> states, action, mean, advantage, reward;
  std::vector<double> log_prob, kl_step, kl_chain_step, train_weight;
  std::vector<std::int64_t> index;
  TrajectoryBlock block;
};

/// This rank's part: as even as it goes from the back, so that with 4 ranks the first has fewest.
Part part_of(int rank, int size, bool last_idle) {
  const int busy = last_idle && size > 1 ? size - 1 : size;
  const std::int64_t begin = rank < busy ? kSamples * rank / busy : kSamples;
  const std::int64_t end = rank < busy ? kSamples * (rank + 1) / busy : kSamples;
  return Part(begin, end - begin);
}

std::string bytes_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void expect_same_content(const fs::path& left, const fs::path& right) {
  const TrajectoryFile a(left), b(right);
  ASSERT_EQ(a.names(), b.names());
  EXPECT_EQ(a.attributes(), b.attributes());
  EXPECT_EQ(a.prompts(), b.prompts());
  for (const std::string& name : a.names()) {
    EXPECT_EQ(a.shape(name), b.shape(name)) << name;
    EXPECT_EQ(a.units(name), b.units(name)) << name;
    if (name != "prompt") {
      EXPECT_EQ(a.doubles(name), b.doubles(name)) << name;
    }
  }
}

TEST(TrajectoryFile, HasTheSameContentForAnyNumberOfRanks) {
  const SharedFolder folder;
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const int rank = rank_of_world();
  if (rank == 0) {
    EXPECT_TRUE(write_trajectory_file(folder / "alone.h5", Part(0, kSamples).block, MPI_COMM_SELF));
  }
  for (const bool last_idle : {false, true}) {
    for (const int compression : {0, 4}) {
      SCOPED_TRACE(fmt::format("{} {}", last_idle, compression));
      const bool collective = write_trajectory_file(folder / "all.h5", part_of(rank, size, last_idle).block,
                                                    MPI_COMM_WORLD, compression);
      EXPECT_TRUE(collective);
      if (rank == 0) {
        expect_same_content(folder / "alone.h5", folder / "all.h5");
        if (compression == 0) {
          EXPECT_EQ(bytes_of(folder / "alone.h5"), bytes_of(folder / "all.h5"));
        }
        EXPECT_FALSE(fs::exists(folder / "all.h5.tmp"));
      }
      MPI_Barrier(MPI_COMM_WORLD);
    }
  }
}

/// Samples [first, first + count) of pictures so large that every rank writes its part itself.
struct LargePart : Part {
  static constexpr std::int64_t kAll = 8, kPixels = std::int64_t{256} * 128;
  LargePart(std::int64_t first, std::int64_t count) : Part(0, 0) {
    block.steps = kSteps;
    block.samples = count;
    block.first_sample = first;
    block.sample_shape = {1, 256, 128};
    for (std::int64_t k = 0; k <= kSteps; ++k) {
      for (std::int64_t pixel = first * kPixels; pixel < (first + count) * kPixels; ++pixel)
        states.push_back(static_cast<float>(pixel % 8191 + 10'000 * k));
    }
    log_prob.assign(static_cast<std::size_t>(kSteps * count), 0.5);
    reward.assign(static_cast<std::size_t>(count), 0.5F);
    for (std::int64_t b = first; b < first + count; ++b)
      index.push_back(b);
    block.prompts.assign(static_cast<std::size_t>(count), "7");
    block.states = block.action = states.data();
    block.mean = nullptr;
    block.advantage = nullptr;
    block.log_prob = block.kl_step = block.kl_chain_step = block.train_weight = log_prob.data();
    block.reward = reward.data();
    block.sample_index = index.data();
  }
};

TEST(TrajectoryFile, HasTheSameContentWhereEveryRankWritesItsOwnPart) {
  const SharedFolder folder;
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const int rank = rank_of_world();
  if (rank == 0)
    write_trajectory_file(folder / "alone.h5", LargePart(0, LargePart::kAll).block, MPI_COMM_SELF);
  const std::int64_t each = LargePart::kAll / size;
  for (const int compression : {0, 1}) {
    EXPECT_TRUE(write_trajectory_file(folder / "all.h5", LargePart(each * rank, each).block, MPI_COMM_WORLD,
                                      compression));
    if (rank == 0) {
      expect_same_content(folder / "alone.h5", folder / "all.h5");
      if (compression == 0) {
        EXPECT_EQ(bytes_of(folder / "alone.h5"), bytes_of(folder / "all.h5"));
      }
    }
    MPI_Barrier(MPI_COMM_WORLD);
  }
}

TEST(TrajectoryFile, GivesBackWhatWasWritten) {
  const SharedFolder folder;
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  write_trajectory_file(folder / "t.h5", part_of(rank_of_world(), size, false).block, MPI_COMM_WORLD);
  const TrajectoryFile file(folder / "t.h5");
  EXPECT_EQ(file.steps(), kSteps);
  EXPECT_EQ(file.samples(), kSamples);
  EXPECT_EQ(file.sample_shape(), (std::vector<std::int64_t>{3, 2, 2}));
  EXPECT_EQ(file.units("log_prob"), "nat");
  EXPECT_EQ(std::get<std::string>(file.attributes().at("solver")), "ddim");
  EXPECT_EQ(std::get<std::int64_t>(file.attributes().at("epoch")), 12);
  EXPECT_EQ(std::get<double>(file.attributes().at("lambda")), 0.1);
  EXPECT_EQ(file.prompts()[2], "a größer prompt");
  EXPECT_EQ(file.integers("sample_index"), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_FALSE(file.contains("mu_pre"));
  EXPECT_EQ(file.doubles("s_a"), (std::vector<double>{0.5, 0.25, 0.125, 0}));
  for (std::int64_t k = 0; k <= kSteps; ++k) {
    const std::vector<float> states = file.floats_at("x", k);
    ASSERT_EQ(states.size(), static_cast<std::size_t>(kSamples * kElements));
    for (std::int64_t n = 0; n < kSamples * kElements; ++n) {
      EXPECT_EQ(states[static_cast<std::size_t>(n)],
                static_cast<float>(value(1, k, n / kElements, n % kElements)));
    }
    if (k == kSteps)
      continue;
    for (std::int64_t b = 0; b < kSamples; ++b) {
      EXPECT_EQ(file.doubles_at("log_prob", k)[static_cast<std::size_t>(b)], value(4, k, b));
      EXPECT_EQ(file.doubles_at("train_weight", k)[static_cast<std::size_t>(b)], value(9, k, b));
      EXPECT_EQ(file.floats_at("kl_step", k)[static_cast<std::size_t>(b)],
                static_cast<float>(value(5, k, b)));
    }
  }
  EXPECT_THROW(file.floats_at("x", kSteps + 1), Error);
}

TEST(TrajectoryFile, FailsOnAllRanksAndLeavesTheOldFileIfOneBlockIsWrong) {
  const SharedFolder folder;
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  Part part = part_of(rank_of_world(), size, false);
  write_trajectory_file(folder / "t.h5", part.block, MPI_COMM_WORLD);
  const std::string before = bytes_of(folder / "t.h5");
  if (rank_of_world() == size - 1)
    part.block.tau.pop_back();
  EXPECT_THROW(write_trajectory_file(folder / "t.h5", part.block, MPI_COMM_WORLD), Error);
  part = part_of(rank_of_world(), size, false);
  EXPECT_THROW(write_trajectory_file(folder / "absent/t.h5", part.block, MPI_COMM_WORLD), Error);
  EXPECT_EQ(bytes_of(folder / "t.h5"), before);
}

} // namespace
} // namespace scoreact
