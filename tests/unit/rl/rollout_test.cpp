#include "rl/rollout.hpp"

#include "error/error.hpp"
#include "kernels/normal_noise.hpp"
#include "unit/rl/gaussian_problem.hpp"
#include "verification/exact_chain.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace scoreact {
namespace {

using namespace testing_support;
using kernels::Purpose;

at::Tensor prompts(long n) { return torch::zeros({n}, torch::kLong); }

TEST(ActionSteps, OfTheTransitionAreTheStepsOwnNoise) {
  for (const char* solver : {"ddim", "ddpm", "euler_maruyama", "dpmpp_2m_sde"}) {
    const StepTable table = table_of(solver, 7);
    const auto actions = action_steps(table, "transition", {});
    ASSERT_EQ(actions.size(), table.steps.size());
    for (std::size_t k = 0; k < actions.size(); ++k) {
      EXPECT_DOUBLE_EQ(actions[k].action_std, table.steps[k].spread / std::abs(table.steps[k].push));
      EXPECT_EQ(actions[k].brownian, 0.0);
    }
  }
}

TEST(ActionSteps, OfTheScoreFollowTheScheduleBesideTheStepsNoise) {
  const StepTable table = table_of("heun_sde", 5);
  const auto actions = action_steps(table, "score", {0.3, -1.0});
  for (std::size_t k = 0; k < actions.size(); ++k) {
    EXPECT_DOUBLE_EQ(actions[k].action_std, 0.3 / table.steps[k].sigma());
    EXPECT_EQ(actions[k].brownian, table.steps[k].spread);
  }
  EXPECT_THROW(action_steps(table, "transition", {}), Error); // two scores a step: not one Gaussian
}

class RolloutOfBothFamilies : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Actions, RolloutOfBothFamilies, testing::Values("transition", "score"));

TEST_P(RolloutOfBothFamilies, StepsAreMeanPlusKeyedNoise) {
  constexpr long n = 3, d = 2;
  const GaussianProblem problem(n, "euler_maruyama", 5, GetParam());
  const Trajectories& batch = problem.batch;
  const auto noise = [](Purpose purpose, std::uint32_t step, long sample, long element) {
    return kernels::normal_at({7, 2, step, purpose}, sample, static_cast<std::uint32_t>(element));
  };
  for (long b = 0; b < n; ++b) {
    for (long e = 0; e < d; ++e)
      EXPECT_NEAR(batch.x[0][b][e].item<double>(), noise(Purpose::initial_state, 0, b, e), 1e-6);
    for (long k = 0; k < batch.steps(); ++k) {
      const Step& step = batch.table.steps[static_cast<std::size_t>(k)];
      const ActionStep& action = batch.actions[static_cast<std::size_t>(k)];
      double squares = 0;
      for (long e = 0; e < d; ++e) {
        const double z = noise(Purpose::action, static_cast<std::uint32_t>(k), b, e);
        const double brownian = noise(Purpose::brownian, static_cast<std::uint32_t>(k), b, e);
        const double a = batch.mean[k][b][e].item<double>() + action.action_std * z;
        EXPECT_NEAR(batch.action[k][b][e].item<double>(), a, 1e-6 * (1 + std::abs(a)));
        const double next = step.keep * batch.x[k][b][e].item<double>() + step.push * a +
                            (std::string(GetParam()) == "score" ? step.spread * brownian : 0.0);
        EXPECT_NEAR(batch.x[k + 1][b][e].item<double>(), next, 2e-6 * (1 + std::abs(next)));
        squares += z * z;
      }
      const double log_prob =
          -0.5 * squares - d * std::log(action.action_std) - 0.5 * d * std::log(2 * std::numbers::pi);
      EXPECT_NEAR(batch.log_prob[k][b].item<double>(), log_prob, 1e-5 * (1 + std::abs(log_prob)));
    }
  }
}

TEST_P(RolloutOfBothFamilies, MeansAreThePolicysAtTheStates) {
  GaussianProblem problem(4, "ddim", 5, GetParam());
  torch::NoGradGuard no_grad;
  for (long k = 0; k < problem.batch.steps(); ++k) {
    const Step& step = problem.table.steps[static_cast<std::size_t>(k)];
    const at::Tensor x = problem.batch.x[k];
    const RowTimes times = row_times(problem.policy.schedule(), {{step.tau, step.abar}}, 4, x);
    EXPECT_TRUE(torch::equal(problem.batch.mean[k], problem.policy.mean(x, times, problem.batch.prompt)));
  }
}

TEST(Rollout, StepsWithoutNoiseHaveNoDensity) {
  ScorePolicy policy(gaussian_denoiser(), 1.0);
  const StepTable table = table_of("ddim", 4, 0.0);
  const auto actions = action_steps(table, "transition", {});
  const Trajectories batch = collect(policy, table, actions, whole(2, 2), prompts(2), {1, 0});
  EXPECT_TRUE(torch::equal(batch.action, batch.mean));
  EXPECT_EQ(batch.log_prob.abs().max().item<double>(), 0.0);
}

class RolloutOfEverySolver : public testing::TestWithParam<std::string> {
 protected:
  static std::vector<ActionStep> actions(const StepTable& table) {
    const bool transition = GetParam() == "ddim" || GetParam() == "ddpm" || GetParam() == "dpmpp_2m_sde";
    return action_steps(table, transition ? "transition" : "score", {0.4, 0.0});
  }
};
INSTANTIATE_TEST_SUITE_P(Solvers, RolloutOfEverySolver, testing::ValuesIn(solver_names()));

TEST_P(RolloutOfEverySolver, HasTheSameBitsForAnyMicroBatchAndShare) {
  ScorePolicy policy(gaussian_denoiser(), 1.0);
  const StepTable table = table_of(GetParam(), 5);
  const Trajectories one = collect(policy, table, actions(table), whole(12, 12), prompts(12), {3, 1});
  const Trajectories cut = collect(policy, table, actions(table), whole(12, 3), prompts(12), {3, 1});
  EXPECT_TRUE(torch::equal(one.x, cut.x));
  EXPECT_TRUE(torch::equal(one.action, cut.action));
  EXPECT_TRUE(torch::equal(one.mean, cut.mean));
  EXPECT_TRUE(torch::equal(one.log_prob, cut.log_prob));
  for (const long first : {0L, 6L}) { // what each of two ranks holds
    const Trajectories half = collect(policy, table, actions(table), {12, 3, first, 6}, prompts(6), {3, 1});
    EXPECT_TRUE(torch::equal(half.x, one.x.narrow(1, first, 6)));
    EXPECT_TRUE(torch::equal(half.action, one.action.narrow(1, first, 6)));
    EXPECT_TRUE(torch::equal(half.log_prob, one.log_prob.narrow(1, first, 6)));
  }
  const Trajectories other = collect(policy, table, actions(table), whole(12, 12), prompts(12), {3, 2});
  EXPECT_FALSE(torch::equal(one.x, other.x)) << "another epoch must have other noise";
}

TEST_P(RolloutOfEverySolver, DrawsTheFinalStatesThatItCollects) {
  ScorePolicy policy(gaussian_denoiser(), 1.0);
  const StepTable table = table_of(GetParam(), 5);
  const Trajectories batch = collect(policy, table, actions(table), whole(6, 2), prompts(6), {3, 1});
  long seen = 0;
  const auto observe = [&](const StepView& view) {
    ++seen;
    EXPECT_TRUE(torch::equal(view.x, batch.x[view.step].narrow(0, view.first, view.x.size(0))));
    EXPECT_TRUE(torch::equal(view.next, batch.x[view.step + 1].narrow(0, view.first, view.x.size(0))));
    EXPECT_TRUE(torch::equal(view.action, batch.action[view.step].narrow(0, view.first, view.x.size(0))));
  };
  const at::Tensor final_state =
      draw(policy, table, actions(table), whole(6, 4), prompts(6), {3, 1}, {}, observe);
  EXPECT_TRUE(torch::equal(final_state, batch.final_state()));
  EXPECT_EQ(seen, 2 * table.size()); // 4 samples and the 2 that are left
  const at::Tensor again = draw(policy, table, actions(table), whole(6, 6), prompts(6), {3, 1}, batch.x[0]);
  EXPECT_TRUE(torch::equal(again, final_state)) << "given the same initial noise";
}

TEST_P(RolloutOfEverySolver, ReachesTheExactLawOfItsChain) {
  constexpr long n = 4096;
  constexpr double kStandardErrors = 4.0; // 24 comparisons with fixed seeds
  ScorePolicy policy(gaussian_denoiser(), 1.0);
  const StepTable table = table_of(GetParam(), 8);
  const auto steps = actions(table);
  std::vector<double> exploration; // noise through the score beside the step's own
  for (std::size_t k = 0; k < steps.size(); ++k)
    exploration.push_back(steps[k].brownian == 0 && table.steps[k].spread > 0 ? 0.0 : steps[k].action_std);
  const auto law = verification::law_of_chain(
      table, verification::gaussian_policy(table, kDataMean, kDataStd), exploration);
  const at::Tensor x = draw(policy, table, steps, whole(n, 1024), prompts(n), {20, 4}).to(torch::kDouble);
  const double variance = law.state.back().variance;
  for (long e = 0; e < 2; ++e) {
    const at::Tensor column = x.select(1, e);
    EXPECT_NEAR(column.mean().item<double>(), law.state.back().mean[static_cast<std::size_t>(e)],
                kStandardErrors * std::sqrt(variance / n) + 1e-5);
    EXPECT_NEAR(column.var().item<double>(), variance,
                kStandardErrors * variance * std::sqrt(2.0 / (n - 1)) + 1e-5);
  }
}

TEST(Rollout, CountsNetworkEvaluations) {
  EXPECT_EQ(rollout_network_evaluations(table_of("ddim", 5), 8, 1.0), 40);
  EXPECT_EQ(rollout_network_evaluations(table_of("ddim", 5), 8, 7.5), 80); // guidance: two a call
  const StepTable heun = table_of("heun_sde", 5);
  long calls = 0;
  for (const Step& step : heun.steps)
    calls += step.push_second != 0 ? 2 : 1;
  EXPECT_GT(calls, 5);
  EXPECT_EQ(rollout_network_evaluations(heun, 8, 1.0), 8 * calls);
}

} // namespace
} // namespace scoreact
