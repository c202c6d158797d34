#include "error/error.hpp"
#include "rl/policy_update.hpp"
#include "rl/rl_options.hpp"
#include "unit/rl/gaussian_problem.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scoreact {
namespace {

using namespace testing_support;

#ifdef NDEBUG
#error "this program is there to test what is left out with NDEBUG"
#endif

/// One update on a rollout whose recorded means are changed by the factor; in calls of so many samples.
void update_after(float factor, long samples) {
  GaussianProblem problem{samples};
  problem.batch.mean.mul_(factor);
  AlgorithmOptions algorithm;
  algorithm.update = "policy_gradient";
  TrainOptions train;
  train.minibatch_size = train.micro_batch_size = samples;
  PolicyUpdate update(problem.policy, algorithm, train, LearningRateOptions{1e-3, "constant", 0, 1},
                      problem.ranks, true);
  const at::Tensor advantage = at::ones({problem.batch.steps(), samples}, at::kDouble);
  update(problem.batch, UpdateSignal{advantage, {}});
}

TEST(FirstRatio, HasToBeExactlyOneInADebugBuild) {
  EXPECT_NO_THROW(update_after(1.0F, 16));
  constexpr float kLastBit = 1.0F + 1.2e-7F;
  try {
    update_after(kLastBit, 16);
    FAIL() << "means of another policy passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::internal);
    EXPECT_THAT(error.what(), testing::HasSubstr("rollout and update evaluate different policies"));
  }
}

TEST(FirstRatio, OfCallsOfFewRowsMayRound) {
  EXPECT_NO_THROW(update_after(1.0F + 1e-6F, 4));
  EXPECT_THROW(update_after(1.1F, 4), Error);
}

} // namespace
} // namespace scoreact
