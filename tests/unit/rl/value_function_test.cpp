#include "rl/value_function.hpp"

#include "error/error.hpp"
#include "rl/advantage.hpp"
#include "rl/chosen_rows.hpp"
#include "rl/value_fit.hpp"
#include "unit/rl/counting_reward.hpp"
#include "unit/rl/gaussian_problem.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace scoreact {
namespace {

using namespace testing_support;

TEST(ValueWeights, GiveTheRewardAtTheDataAndTheTrainedBranchAtTheNoise) {
  for (const char* c_out : {"sin", "one_minus_cos", "linear"}) {
    const ValueWeights ends = value_weights(c_out, torch::tensor({0.0, 1.0}, torch::kDouble));
    EXPECT_EQ(ends.skip[0].item<double>(), 1.0) << c_out;
    EXPECT_EQ(ends.out[0].item<double>(), 0.0) << c_out;
    EXPECT_NEAR(ends.skip[1].item<double>(), 0.0, 1e-15) << c_out;
    EXPECT_NEAR(ends.out[1].item<double>(), 1.0, 1e-15) << c_out;
  }
  const at::Tensor third = torch::tensor({1.0 / 3}, torch::kDouble);
  EXPECT_NEAR(value_weights("sin", third).skip.item<double>(), std::sqrt(0.75), 1e-15);
  EXPECT_NEAR(value_weights("sin", third).out.item<double>(), 0.5, 1e-15);
  EXPECT_NEAR(value_weights("one_minus_cos", third).out.item<double>(), 1 - std::sqrt(0.75), 1e-15);
  EXPECT_NEAR(value_weights("linear", third).skip.item<double>(), 2.0 / 3, 1e-15);
  EXPECT_THROW(value_weights("cosine", third), Error);
}

/// Rows at the given noise time, x and x0hat far apart.
ValueRows rows_at(double tau) {
  const at::Tensor x = torch::tensor({{0.5F, -1.0F}, {1.5F, 0.25F}});
  return {x, 0.3F * x + 1.0F, torch::full({2}, tau, torch::kFloat), torch::zeros({2}, torch::kLong)};
}

TEST(ValueFunction, IsTheRewardOfTheDataAtTimeZero) {
  const GaussianProblem problem;
  ValueFunction value = problem.value_function({});
  scatter_weights(value);
  torch::NoGradGuard no_grad;
  const ValueRows rows = rows_at(0.0);
  EXPECT_TRUE(torch::equal(value.value(rows), (*problem.reward)(rows.x0hat, rows.prompt)));
}

TEST(ValueFunction, StartsAsTheWeightedRewardAlone) {
  const GaussianProblem problem;
  ValueFunction value = problem.value_function({});
  torch::NoGradGuard no_grad;
  const ValueRows rows = rows_at(0.4);
  const at::Tensor expected = std::cos(0.2 * M_PI) * (*problem.reward)(rows.x0hat, rows.prompt);
  EXPECT_TRUE(torch::allclose(value.value(rows), expected, 1e-6, 1e-7));
}

TEST(ValueFunction, LooksAtTheStatesThatTheDesignNames) {
  const GaussianProblem problem;
  torch::NoGradGuard no_grad;
  const ValueRows rows = rows_at(0.5);
  ValueRows other_x = rows, other_x0hat = rows;
  other_x.x = rows.x + 1.0F;
  other_x0hat.x0hat = rows.x0hat - 1.0F;
  for (const char* predictor : {"x0hat", "x"}) {
    for (const char* corrector : {"x", "x0hat"}) {
      ValueOptions options;
      options.predictor = predictor;
      options.corrector = corrector;
      ValueFunction value = problem.value_function(options);
      scatter_weights(value);
      const bool on_x = std::string(predictor) == "x" || std::string(corrector) == "x";
      const bool on_x0hat = std::string(predictor) == "x0hat" || std::string(corrector) == "x0hat";
      EXPECT_EQ(!torch::equal(value.value(other_x), value.value(rows)), on_x) << predictor << corrector;
      EXPECT_EQ(!torch::equal(value.value(other_x0hat), value.value(rows)), on_x0hat)
          << predictor << corrector;
      EXPECT_EQ(
          torch::equal(value.frozen_branch(other_x, false).value, value.frozen_branch(rows, false).value),
          std::string(predictor) == "x0hat");
    }
  }
}

TEST(ValueFunction, CountsItsTrainedBranchInUnitsOfTheScale) {
  const GaussianProblem problem;
  ValueFunction value = problem.value_function({});
  scatter_weights(value);
  torch::NoGradGuard no_grad;
  const ValueRows rows = rows_at(0.5);
  const at::Tensor skip = std::cos(0.25 * M_PI) * value.frozen_branch(rows, false).value;
  const at::Tensor before = value.value(rows) - skip;
  value.set_scale(100.0);
  EXPECT_TRUE(torch::allclose(value.value(rows) - skip, 100.0 * before, 1e-4, 1e-4));
}

TEST(MonteCarloReturns, AreTheRewardMinusWhatIsStillToBePaid) {
  GaussianProblem problem(3, "ddim", 6);
  const at::Tensor weight =
      torch::tensor({{2.0, 1.0, 2.0}, {1.0, 1.5, 2.0}, {2.0, 2.5, 1.0}, {1.0, 1.0, 1.0}}, torch::kDouble);
  problem.batch.times = {torch::tensor({{0, 1, 0}, {2, 2, 3}, {3, 4, 4}, {5, 5, 5}}, torch::kLong), weight};
  attach_pretrained(problem.batch, problem.policy, 3);
  const double lambda = 0.7;
  const at::Tensor with = monte_carlo_returns(problem.batch, lambda, true);
  ASSERT_GT(problem.batch.kl_step.sum().item<double>(), 1e-3);
  for (long b = 0; b < 3; ++b) {
    for (long i = 0; i < 4; ++i) {
      double expected = problem.batch.reward[b].item<double>();
      for (long j = i; j < 4; ++j)
        expected -= lambda * weight[j][b].item<double>() * problem.batch.kl_step[j][b].item<double>();
      EXPECT_NEAR(with[i][b].item<double>(), expected, 1e-12);
    }
  }
  const at::Tensor without = monte_carlo_returns(problem.batch, lambda, false);
  for (long i = 0; i < 4; ++i)
    EXPECT_TRUE(torch::equal(without[i], problem.batch.reward));
}

TEST(FitValue, ReportsTheErrorBeforeItLearnsAndLowersIt) {
  GaussianProblem problem(64, "ddim", 6);
  ValueOptions options;
  options.predictor = "x"; // a poor predictor: much is left to learn
  options.batch_size = 64 * 6;
  options.steps_per_epoch = 60;
  options.learning_rate = 1e-2;
  ValueFunction value = problem.value_function(options);
  const at::Tensor returns = monte_carlo_returns(problem.batch, 0.1, true);
  const auto mean_squared_error = [&] {
    const at::Tensor v = value_at_rows(problem.batch, problem.policy, value, false, 16).value;
    return (v - returns).square().mean().item<double>();
  };
  const double expected = mean_squared_error();
  const double before = fit_value(problem.batch, returns, problem.policy, value, problem.ranks, 16, false);
  EXPECT_NEAR(before, expected, 1e-5 * expected);
  const double after = mean_squared_error();
  EXPECT_LT(after, 0.5 * before);
  EXPECT_NEAR(fit_value(problem.batch, returns, problem.policy, value, problem.ranks, 16, false), after,
              1e-5 * after);
  EXPECT_EQ(value.optimizer().steps(), 120);
}

TEST(FitValue, DoesNotTouchThePolicy) {
  GaussianProblem problem(8, "ddim", 5);
  ValueFunction value = problem.value_function({});
  const at::Tensor before = problem.network->named_parameters()[0].second.detach().clone();
  fit_value(problem.batch, monte_carlo_returns(problem.batch, 0.1, true), problem.policy, value,
            problem.ranks, 4, false);
  EXPECT_TRUE(torch::equal(problem.network->named_parameters()[0].second.detach(), before));
  EXPECT_FALSE(problem.network->named_parameters()[0].second.grad().defined());
}

TEST(ValueAtRows, HasTheGradientOfTheValueThroughThePolicy) {
  GaussianProblem problem(4, "ddim", 5);
  ValueFunction value = problem.value_function({});
  scatter_weights(value);
  const ValueAtRows here = value_at_rows(problem.batch, problem.policy, value, true, 2);
  const ChosenRows rows = chosen_rows(problem.batch, problem.policy.schedule(), 0, 4);
  torch::NoGradGuard no_grad;
  const auto value_of = [&](const at::Tensor& x) {
    const at::Tensor mean = problem.policy.mean(x, rows.times, rows.prompt);
    return value.value({x, tweedie_mean(x, mean, rows.times), rows.times.tau, rows.prompt})
        .to(torch::kDouble);
  };
  EXPECT_TRUE(torch::allclose(here.value.flatten(), value_of(rows.x), 1e-6, 1e-6));
  const at::Tensor gradient = here.gradient.flatten(0, 1).to(torch::kDouble);
  constexpr double h = 2e-2;
  for (long e = 0; e < 2; ++e) {
    at::Tensor offset = torch::zeros({1, 2});
    offset[0][e] = h;
    const at::Tensor difference = (value_of(rows.x + offset) - value_of(rows.x - offset)) / (2 * h);
    EXPECT_TRUE(torch::allclose(gradient.select(1, e), difference, 5e-3, 5e-4))
        << "element " << e << "\n"
        << gradient.select(1, e) << "\n"
        << difference;
  }
  EXPECT_GT(gradient.abs().min().item<double>(), 0.0);
}

TEST(ValueAtRows, DoesNotDependOnTheNumberOfCalls) {
  GaussianProblem problem(4, "ddim", 5);
  ValueFunction value = problem.value_function({});
  const ValueAtRows whole = value_at_rows(problem.batch, problem.policy, value, true, 4);
  const ValueAtRows cut = value_at_rows(problem.batch, problem.policy, value, true, 1);
  EXPECT_TRUE(torch::allclose(whole.value, cut.value, 1e-6, 1e-7));
  EXPECT_TRUE(torch::allclose(whole.gradient, cut.gradient, 1e-5, 1e-6));
}

TEST(FrozenBranch, IsEvaluatedOncePerSampleAndTimeForFitAndAdvantage) {
  for (const char* corrector : {"x", "x0hat"}) {
    GaussianProblem problem(4, "ddim", 5);
    const auto counting = std::make_shared<CountingReward>(problem.reward);
    problem.reward = counting;
    ValueOptions options;
    options.corrector = corrector;
    ValueFunction value = problem.value_function(options);
    scatter_weights(value);
    const at::Tensor returns = monte_carlo_returns(problem.batch, 0.1, true);
    const ValueAtRows before = value_at_rows(problem.batch, problem.policy, value, true, 2);
    counting->states = 0;
    options.steps_per_epoch = 0;
    ValueFunction unfitted = problem.value_function(options); // the fit moves no weight
    scatter_weights(unfitted);
    fit_value(problem.batch, returns, problem.policy, unfitted, problem.ranks, 2, true);
    const ValueAtRows after = value_at_rows(problem.batch, problem.policy, unfitted, true, 2);
    EXPECT_EQ(counting->states, 4 * 5) << corrector;
    // x0hat of the fit is made of the rollout's means, that of the gradient of new ones: equal to rounding
    EXPECT_TRUE(torch::allclose(after.value, before.value, 1e-5, 1e-5)) << corrector;
    EXPECT_TRUE(torch::allclose(after.gradient, before.gradient, 1e-4, 1e-5)) << corrector;
  }
}

TEST(FrozenBranch, HasNoGradientWhereTheRewardHasNone) {
  /// A step function, as file sizes are.
  class StepReward : public Reward {
   public:
    at::Tensor operator()(const at::Tensor& x, const at::Tensor&) override {
      return x.detach().flatten(1).sum(1).floor();
    }
    bool differentiable() const override { return false; }
    std::string name() const override { return "step"; }
  };
  GaussianProblem problem(2, "ddim", 3);
  problem.reward = std::make_shared<StepReward>();
  const ValueFunction value = problem.value_function({});
  const FrozenBranch frozen = value.frozen_branch(rows_at(0.5), true);
  EXPECT_TRUE(torch::equal(frozen.gradient, torch::zeros({2, 2})));
}

} // namespace
} // namespace scoreact
