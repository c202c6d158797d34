#include "rl/chosen_times.hpp"

#include "rl/chosen_rows.hpp"
#include "unit/rl/gaussian_problem.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace scoreact {
namespace {

using namespace testing_support;

TEST(ChosenTimes, SumWithoutBiasOverEpochsAndOverSamples) {
  constexpr long steps = 13, n = 4000;
  const at::Tensor k = torch::arange(steps, torch::kDouble);
  const at::Tensor f = torch::exp(-0.3 * k) + 0.01 * k.square();
  const double exact = f.sum().item<double>();
  for (const long drawn : {1L, 2L, 5L, 12L, 13L}) {
    std::vector<at::Tensor> of_one;
    for (std::uint32_t epoch = 0; epoch < n; ++epoch) {
      const ChosenTimes times = choose_times(steps, drawn, 1.0, 9, epoch, {8, 1, 5, 1});
      ASSERT_EQ(times.count(), drawn);
      of_one.push_back((times.weight * f.index({times.step})).sum(0));
    }
    const ChosenTimes times = choose_times(steps, drawn, 1.0, 9, 3, whole(n, 1));
    for (const at::Tensor& estimate : {torch::cat(of_one), (times.weight * f.index({times.step})).sum(0)}) {
      const double error = estimate.std().item<double>() / std::sqrt(static_cast<double>(n));
      EXPECT_NEAR(estimate.mean().item<double>(), exact, 4 * error + 1e-9) << drawn << " of 13 times";
    }
  }
}

TEST(ChosenTimes, OfAMinibatchCoverEachStratumEvenly) {
  constexpr long samples = 64,
                 size = 6; // of the first stratum of 20 steps of which 4 are drawn, the last always
  double worst = 0;
  for (std::uint32_t epoch = 0; epoch < 50; ++epoch) {
    const ChosenTimes times = choose_times(20, 4, 1.0, 9, epoch, {256, 1, 64, samples});
    const at::Tensor counts = torch::bincount(times.step[0], {}, size).to(torch::kDouble);
    worst = std::max(worst, (counts - double(samples) / size).abs().max().item<double>());
  }
  EXPECT_LT(worst, 3.0) << "independent draws: 3.0 is one standard deviation of one of 300 counts";
  EXPECT_FALSE(torch::equal(choose_times(20, 4, 1.0, 9, 3, whole(64, 1)).step,
                            choose_times(20, 4, 1.0, 9, 4, whole(64, 1)).step));
}

TEST(ChosenTimes, FollowTheSampleWhateverTheRank) {
  const ChosenTimes alone = choose_times(20, 6, 1.0, 9, 3, {24, 4, 0, 24});
  for (const long count : {4L, 8L, 12L}) {
    for (long first = 0; first < 24; first += count) {
      const ChosenTimes part = choose_times(20, 6, 1.0, 9, 3, {24, 4, first, count});
      EXPECT_TRUE(torch::equal(part.step, alone.step.narrow(1, first, count)));
      EXPECT_TRUE(torch::equal(part.weight, alone.weight.narrow(1, first, count)));
    }
  }
}

TEST(ChosenTimes, AlwaysHoldTheLastStepsOfAFewAndAllOfAll) {
  const ChosenTimes few = choose_times(20, 10, 1.0, 9, 0, whole(50, 1));
  EXPECT_TRUE(few.step[8].eq(18).all().item<bool>());
  EXPECT_TRUE(few.step[9].eq(19).all().item<bool>());
  EXPECT_TRUE(few.weight[9].eq(1).all().item<bool>());
  EXPECT_TRUE(few.step.diff(1, 0).gt(0).all().item<bool>());
  const ChosenTimes all = choose_times(20, 0, 1.0, 9, 0, whole(3, 1));
  EXPECT_TRUE(torch::equal(all.step, torch::arange(20).unsqueeze(1).repeat({1, 3})));
  EXPECT_TRUE(torch::equal(all.weight, torch::ones({20, 3}, torch::kDouble)));
  EXPECT_EQ(choose_times(20, 0, 0.25, 9, 0, whole(3, 1)).count(), 5);
}

TEST(ChosenRows, OfOneSampleAreContiguousAsKernelsWantThem) {
  GaussianProblem problem(6, "ddim", 7, "score");
  problem.batch.times = choose_times(7, 3, 1.0, 4, 2, problem.batch.shard);
  problem.batch.prompt = torch::arange(6, torch::kLong);
  const ChosenRows rows = chosen_rows(problem.batch, problem.policy.schedule(), 4, 1);
  EXPECT_TRUE(rows.weight.is_contiguous());
  EXPECT_TRUE(rows.action_std.is_contiguous());
  EXPECT_TRUE(rows.x.is_contiguous());
}

TEST(ChosenRows, AreThoseOfEachSamplesOwnSteps) {
  GaussianProblem problem(6, "ddim", 7, "score"); // actions with a deviation of their own at each step
  Trajectories& batch = problem.batch;
  batch.times = choose_times(batch.steps(), 3, 1.0, 4, 2, batch.shard);
  batch.prompt = torch::arange(6, torch::kLong);
  const long first = 2, count = 3;
  const ChosenRows rows = chosen_rows(batch, problem.policy.schedule(), first, count);
  ASSERT_EQ(rows.x.size(0), 3 * count);
  bool differ = false;
  for (long k = 0; k < 3; ++k) {
    for (long b = 0; b < count; ++b) {
      const long row = k * count + b, sample = first + b, step = batch.times.step[k][sample].item<long>();
      differ = differ || step != batch.times.step[k][first].item<long>();
      EXPECT_EQ(rows.step[row].item<long>(), step);
      EXPECT_EQ(rows.weight[row].item<double>(), batch.times.weight[k][sample].item<double>());
      EXPECT_EQ(rows.prompt[row].item<long>(), sample);
      EXPECT_TRUE(torch::equal(rows.x[row], batch.x[step][sample]));
      EXPECT_TRUE(torch::equal(rows.action[row], batch.action[step][sample]));
      EXPECT_TRUE(torch::equal(rows.old_mean[row], batch.mean[step][sample]));
      EXPECT_EQ(rows.action_std[row].item<double>(),
                problem.actions[static_cast<std::size_t>(step)].action_std);
      const Step& of_table = problem.table.steps[static_cast<std::size_t>(step)];
      EXPECT_EQ(rows.times.tau[row].item<float>(), static_cast<float>(of_table.tau));
      EXPECT_EQ(rows.times.alpha[row].item<float>(), static_cast<float>(std::sqrt(of_table.abar)));
      EXPECT_EQ(rows.times.sigma[row].item<float>(), static_cast<float>(std::sqrt(1 - of_table.abar)));
    }
  }
  EXPECT_TRUE(differ);
}

} // namespace
} // namespace scoreact
