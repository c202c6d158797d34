#include "optim/flat_adamw.hpp"
#include "parallel/communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <chrono>
#include <numeric>
#include <thread>

namespace scoreact {
namespace {

using testing::HasSubstr;
using testing::Not;

/// The failure that `action` ends with on this rank.
template <class Action> Failure failure_from(const Action& action, int rank) {
  try {
    action();
  } catch (...) {
    return failure_of(std::current_exception(), rank);
  }
  return {};
}

TEST(Agreement, GivesEveryRankWhatItsOwnWorkReturned) {
  const Communicator ranks;
  EXPECT_EQ(ranks.together([&] { return std::to_string(ranks.rank()); }), std::to_string(ranks.rank()));
  int done = 0;
  ranks.together([&] { ++done; });
  EXPECT_EQ(done, 1);
}

TEST(Agreement, ThrowsTheMessageOfTheRankThatFailedOnAllRanks) {
  const Communicator ranks;
  const int last = ranks.size() - 1;
  const Failure failure = failure_from(
      [&] {
        ranks.together([&] {
          SCOREACT_REQUIRE(ranks.rank() != last, ExitCode::missing_input, "rank {} has no model", last);
        });
      },
      ranks.rank());
  EXPECT_EQ(failure.code, ExitCode::missing_input);
  EXPECT_EQ(failure.rank, last);
  EXPECT_EQ(failure.message, fmt::format("rank {} has no model", last));
  EXPECT_EQ(ranks.maximum(ranks.rank()), last) << "the ranks can go on together";
}

TEST(Agreement, TakesTheLowestOfSeveralFailuresAlsoThroughTwoLevels) {
  const Communicator ranks;
  const Failure failure = failure_from(
      [&] {
        ranks.together([&] {
          ranks.together([&] {
            throw std::runtime_error(fmt::format(
                "number {}\nException raised from f at g.cpp:1 (most recent call first)", ranks.rank()));
          });
        });
      },
      ranks.rank());
  EXPECT_EQ(failure.code, ExitCode::internal);
  EXPECT_EQ(failure.rank, 0);
  EXPECT_EQ(failure.message, "number 0") << "without the back trace";
}

TEST(Agreement, AFailedBackwardPassLeavesAllWeightsAsTheyWere) {
  const Communicator ranks;
  for (const bool deterministic : {true, false}) {
    at::Tensor weight = torch::arange(6, at::kFloat).requires_grad_();
    FlatAdamW optimizer(FlatParameters({{"weight", weight}}), {}, ranks, deterministic);
    const at::Tensor before = optimizer.parameters().values().clone();
    const auto update = [&](bool fails) {
      optimizer.update({2L * ranks.size(), 2L * ranks.rank(), 2}, 0.1, [&](long i) {
        (weight * static_cast<float>(ranks.rank() + 1)).sum().backward();
        SCOREACT_REQUIRE(!fails || i == 0 || ranks.rank() != ranks.size() - 1, ExitCode::internal,
                         "out of memory");
      });
    };
    const Failure failure = failure_from([&] { update(true); }, ranks.rank());
    EXPECT_EQ(failure.rank, ranks.size() - 1);
    EXPECT_EQ(failure.message, "out of memory");
    EXPECT_TRUE(at::equal(optimizer.parameters().values(), before));
    EXPECT_EQ(optimizer.steps(), 0);

    update(false);
    const auto n = static_cast<float>(ranks.size());
    EXPECT_EQ(optimizer.parameters().gradient()[0].item<float>(), n * (n + 1)) << "2 (1 + 2 + ... + n)";
    EXPECT_FALSE(at::equal(optimizer.parameters().values(), before));
  }
}

TEST(RollCall, NamesTheRankThatDidNotCome) {
  const Communicator all;
  if (all.size() == 1)
    return; // there is no other one
  const int late = all.size() - 1;
  const Failure failure = failure_from(
      [&] {
        const Communicator impatient(MPI_COMM_WORLD, 0.2);
        if (all.rank() == late)
          std::this_thread::sleep_for(std::chrono::seconds(3));
        impatient.barrier();
      },
      all.rank());
  // the first to run out of patience speaks, the others leave the message to it and may see the late one come
  const bool spoke = failure.code != ExitCode::success;
  if (spoke && all.rank() != late) {
    EXPECT_EQ(failure.code, ExitCode::io);
    EXPECT_THAT(failure.message, HasSubstr(fmt::format("no sign of rank {} on ", late)));
    EXPECT_THAT(failure.message, HasSubstr("barrier"));
    for (int there = 0; there < late; ++there)
      EXPECT_THAT(failure.message, Not(HasSubstr(fmt::format("rank {} on ", there))));
  }
  const std::vector<double> speakers = all.gather_in_order({spoke ? 1.0 : 0.0});
  EXPECT_GE(std::accumulate(speakers.begin(), speakers.end() - 1, 0.0), 1) << "of those who waited";
  all.barrier();
}

TEST(RollCall, ARankThatFailedDoesNotWaitLongForTheOthers) {
  const Communicator ranks;
  if (ranks.root()) {
    const Communicator here(MPI_COMM_SELF);
    const std::optional<Failure> known = here.agree_within(0.1, {ExitCode::data, 0, "bad deck"});
    ASSERT_TRUE(known) << "one rank agrees with itself";
    EXPECT_EQ(known->message, "bad deck");
  }
  const Communicator pair(MPI_COMM_WORLD, 60);
  if (ranks.root()) {
    const auto start = std::chrono::steady_clock::now();
    const std::optional<Failure> known = pair.agree_within(0.2, {ExitCode::data, 0, "bad deck"});
    EXPECT_EQ(known.has_value(), ranks.size() == 1);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  }
  ranks.barrier();
}

} // namespace
} // namespace scoreact
