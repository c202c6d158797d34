#include "store/trajectory_layout.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

namespace {
constexpr std::size_t kMostSampleDimensions = 8;
}

void FileRanks::agree(Failure mine) const {
  const int here = mine ? rank_ : size_;
  int failed = size_;
  SCOREACT_CHECK_MPI(MPI_Allreduce(&here, &failed, 1, MPI_INT, MPI_MIN, comm_));
  if (failed == size_)
    return;
  int head[3] = {static_cast<int>(mine.code), mine.rank, static_cast<int>(mine.message.size())};
  SCOREACT_CHECK_MPI(MPI_Bcast(head, 3, MPI_INT, failed, comm_));
  mine.message.resize(static_cast<std::size_t>(head[2]));
  SCOREACT_CHECK_MPI(MPI_Bcast(mine.message.data(), head[2], MPI_CHAR, failed, comm_));
  throw AgreedError({static_cast<ExitCode>(head[0]), head[1], mine.message});
}

TrajectoryLayout agree_on_layout(const FileRanks& comm, const std::filesystem::path& file,
                                 const TrajectoryBlock& block) {
  const auto require = [&](bool good, const char* what) {
    SCOREACT_REQUIRE(good, ExitCode::internal, "{}: trajectories of rank {}: {}", file.string(), comm.rank(),
                     what);
  };
  std::vector<std::int64_t> mine{block.steps,
                                 block.mean != nullptr,
                                 block.mean_pre != nullptr,
                                 block.advantage != nullptr,
                                 block.value != nullptr,
                                 block.value_difference != nullptr,
                                 block.value_gradient != nullptr,
                                 static_cast<std::int64_t>(block.sample_shape.size())};
  const auto shape_at = static_cast<std::ptrdiff_t>(mine.size());
  mine.resize(mine.size() + kMostSampleDimensions, 0);
  std::copy_n(block.sample_shape.begin(), std::min(block.sample_shape.size(), kMostSampleDimensions),
              mine.begin() + shape_at);
  std::vector<std::int64_t> from_first = mine;
  SCOREACT_CHECK_MPI(MPI_Bcast(from_first.data(), static_cast<int>(mine.size()), MPI_INT64_T, 0, comm.get()));
  std::int64_t here[3] = {block.first_sample, block.samples, 1};
  for (const std::string& prompt : block.prompts)
    here[2] = std::max(here[2], static_cast<std::int64_t>(prompt.size()));
  std::vector<std::int64_t> all(static_cast<std::size_t>(3 * comm.size()));
  SCOREACT_CHECK_MPI(MPI_Allgather(here, 3, MPI_INT64_T, all.data(), 3, MPI_INT64_T, comm.get()));

  TrajectoryLayout layout;
  std::vector<std::pair<std::int64_t, std::int64_t>> parts;
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(comm.size()); ++rank) {
    if (all[3 * rank + 1] > 0) {
      parts.emplace_back(all[3 * rank], all[3 * rank + 1]);
      layout.least_samples = std::min(layout.least_samples, all[3 * rank + 1]);
    }
    layout.most_samples = std::max(layout.most_samples, all[3 * rank + 1]);
    layout.prompt_bytes = std::max(layout.prompt_bytes, all[3 * rank + 2]);
  }
  std::sort(parts.begin(), parts.end());
  bool contiguous = true;
  for (const auto& [first, count] : parts) {
    contiguous = contiguous && first == layout.samples;
    layout.samples += count;
  }
  comm.together([&] {
    require(block.sample_shape.size() <= kMostSampleDimensions, "samples have more than 8 dimensions");
    require(mine == from_first, "steps, sample shape or optional arrays differ from rank 0");
    require(contiguous && layout.samples > 0, "the ranks' samples do not cover 0 .. B-1 once each");
    const auto is_steps = [&](const std::vector<double>& values, std::size_t more) {
      return values.size() == static_cast<std::size_t>(block.steps) + more;
    };
    require(is_steps(block.tau, 1) && is_steps(block.abar, 1), "tau and abar need K + 1 entries");
    require(is_steps(block.weight, 0) && is_steps(block.keep, 0) && is_steps(block.push, 0) &&
                is_steps(block.spread, 0) && is_steps(block.girsanov, 0) && is_steps(block.drift, 0) &&
                is_steps(block.s_a, 0),
            "weight, keep, push, spread, girsanov, drift and s_a need K entries");
    require(block.prompts.size() == static_cast<std::size_t>(block.samples), "one prompt a sample is needed");
    const bool complete = block.states != nullptr && block.action != nullptr && block.log_prob != nullptr &&
                          block.kl_step != nullptr && block.kl_chain_step != nullptr &&
                          block.train_weight != nullptr && block.reward != nullptr &&
                          block.sample_index != nullptr;
    require(block.samples == 0 || complete, "an array is missing");
  });
  return layout;
}

} // namespace scoreact
