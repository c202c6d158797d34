#include "rl/path_kl.hpp"

#include "unit/rl/gaussian_problem.hpp"
#include "verification/shifted_gaussian.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace scoreact {
namespace {

using namespace testing_support;

/// s_pre + 0.4 (0.5, 0.7): a score that differs from the pretrained one by the same vector everywhere (G6).
struct ConstantShift {
  explicit ConstantShift(long samples, double eta = 1.0, long steps = 6)
      : network(std::make_shared<verification::ShiftedGaussian>(kDataMean, kDataStd, Point{0.5, 0.7},
                                                                verification::Profile{1, 0, 0},
                                                                make_analytic_schedule({}), samples)),
        policy(network, 1.0), table(table_of("ddim", steps, eta)) {
    network->set_theta(0.4);
  }
  Trajectories rollout(const Shard& shard) {
    return collect(policy, table, action_steps(table, "transition", {}), shard,
                   torch::arange(shard.first, shard.first + shard.count), {5, 1});
  }
  double sum(double Step::*factor) const {
    double total = 0;
    for (const Step& step : table.steps)
      total += step.*factor;
    return total * 0.4 * 0.4 * (0.5 * 0.5 + 0.7 * 0.7);
  }
  std::shared_ptr<verification::ShiftedGaussian> network;
  ScorePolicy policy;
  StepTable table;
};

TEST(PathKl, OfAConstantScoreShiftIsTheExactSum) {
  for (const double eta : {1.0, 0.5}) {
    ConstantShift problem(4, eta);
    Trajectories batch = problem.rollout(whole(4, 4));
    batch.times = all_times(batch.steps(), 4);
    attach_pretrained(batch, problem.policy, 2);
    const at::Tensor path = integrate(batch, batch.kl_step), chain = integrate(batch, batch.kl_chain_step);
    for (long b = 0; b < 4; ++b) {
      EXPECT_NEAR(path[b].item<double>(), problem.sum(&Step::girsanov), 1e-5 * problem.sum(&Step::girsanov));
      EXPECT_NEAR(chain[b].item<double>(), problem.sum(&Step::chain), 1e-5 * problem.sum(&Step::chain));
    }
    EXPECT_GT(problem.sum(&Step::girsanov), 0.1);
  }
}

TEST(PathKl, VanishesBitForBitBeforeAnyUpdate) {
  ScorePolicy policy(gaussian_denoiser(), 1.0);
  const StepTable table = table_of("ddim", 5);
  Trajectories batch = collect(policy, table, action_steps(table, "transition", {}), whole(4, 2),
                               torch::zeros({4}, torch::kLong), {5, 1});
  batch.times = all_times(5, 4);
  attach_pretrained(batch, policy, 4);
  EXPECT_EQ(batch.kl_step.abs().max().item<double>(), 0.0);
}

TEST(PathKl, OfASubsetIsWeighted) {
  ConstantShift problem(2);
  Trajectories batch = problem.rollout(whole(2, 2));
  batch.times = {torch::tensor({{0, 1}, {3, 4}, {5, 5}}, torch::kLong),
                 torch::tensor({{3.0, 2.0}, {2.0, 3.0}, {1.0, 1.0}}, torch::kDouble)};
  attach_pretrained(batch, problem.policy, 2);
  const double shift = 0.4 * 0.4 * (0.5 * 0.5 + 0.7 * 0.7);
  const auto& steps = problem.table.steps;
  const double first = shift * (3 * steps[0].girsanov + 2 * steps[3].girsanov + steps[5].girsanov);
  const double second = shift * (2 * steps[1].girsanov + 3 * steps[4].girsanov + steps[5].girsanov);
  const at::Tensor found = integrate(batch, batch.kl_step);
  EXPECT_NEAR(found[0].item<double>(), first, 1e-5 * first);
  EXPECT_NEAR(found[1].item<double>(), second, 1e-5 * second);
}

TEST(EstimatedPathKl, IsExactWhenAllStepsFitIntoIt) {
  ConstantShift problem(4, 1.0, 3);
  const Trajectories batch = problem.rollout(whole(4, 4));
  const PathKl kl = estimate_path_kl(batch, problem.policy, Communicator(MPI_COMM_SELF));
  ASSERT_EQ(kl.path.size(), 4U);
  EXPECT_NEAR(kl.path[2], problem.sum(&Step::girsanov), 1e-5 * problem.sum(&Step::girsanov));
  EXPECT_NEAR(kl.chain[2], problem.sum(&Step::chain), 1e-5 * problem.sum(&Step::chain));
}

TEST(EstimatedPathKl, LooksAtTheFirstSamplesWhereverTheyLie) {
  ConstantShift problem(24, 1.0, 12);
  const Communicator alone(MPI_COMM_SELF);
  const PathKl whole_batch = estimate_path_kl(problem.rollout({24, 4, 0, 24}), problem.policy, alone, 12);
  ASSERT_EQ(whole_batch.path.size(), 12U);
  std::vector<double> joined; // three ranks with 8 samples each; the last is not asked
  for (const long first : {0L, 8L, 16L}) {
    const PathKl part = estimate_path_kl(problem.rollout({24, 4, first, 8}), problem.policy, alone, 12);
    joined.insert(joined.end(), part.path.begin(), part.path.end());
  }
  EXPECT_EQ(joined, whole_batch.path);
}

TEST(EstimatedPathKl, IsUnbiasedOverEpochs) {
  ConstantShift problem(1, 1.0, 12);
  Trajectories batch = problem.rollout(whole(1, 1));
  const Communicator alone(MPI_COMM_SELF);
  constexpr long n = 2000;
  double sum = 0, squares = 0;
  for (long epoch = 0; epoch < n; ++epoch) {
    batch.epoch = static_cast<std::uint32_t>(epoch); // other times on the same trajectory
    const double kl = estimate_path_kl(batch, problem.policy, alone).path[0];
    sum += kl;
    squares += kl * kl;
  }
  const double mean = sum / n, error = std::sqrt((squares / n - mean * mean) / n);
  EXPECT_NEAR(mean, problem.sum(&Step::girsanov), 4 * error);
  EXPECT_LT(error, 0.05 * mean);
}

} // namespace
} // namespace scoreact
