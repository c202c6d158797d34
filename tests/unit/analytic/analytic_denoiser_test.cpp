// The tensor form of the analytic model against the float64 closed forms.
#include "models/analytic/analytic_denoiser.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

AnalyticOptions mixture_options() {
  AnalyticOptions options;
  options.weights = {1.0, 3.0};
  options.means = {{-1.5, 0.4}, {0.8, -0.7}};
  options.stds = {0.5, 0.8};
  return options;
}

RowTimes times_at(const Schedule& schedule, double tau, const at::Tensor& x) {
  return row_times(schedule, {{tau, schedule.abar(tau)}}, x.size(0), x);
}

TEST(AnalyticDenoiser, PredictsTheExactScoreOfTheMixture) {
  const auto options = mixture_options();
  const auto model = make_analytic_denoiser(options, {});
  const auto mixture = make_mixture(options);
  const auto x = torch::randn({20, 2});
  for (const double tau : {1.0, 0.5, 0.1, 0.001}) {
    const Schedule& schedule = model->schedule();
    torch::NoGradGuard no_grad;
    const auto score = model->predict(x, times_at(schedule, tau, x), {});
    for (long row = 0; row < x.size(0); ++row) {
      const Point state{x[row][0].item<double>(), x[row][1].item<double>()};
      const Point exact = mixture.score(schedule.alpha(tau), schedule.sigma(tau), state);
      for (long i = 0; i < 2; ++i) {
        EXPECT_NEAR(score[row][i].item<double>(), exact[static_cast<std::size_t>(i)],
                    1e-5 * (1 + std::abs(exact[static_cast<std::size_t>(i)])));
      }
    }
  }
}

TEST(AnalyticDenoiser, StartsAtThePretrainedPolicyBitForBit) {
  for (const char* policy : {"constant", "affine", "mlp"}) {
    auto options = mixture_options();
    options.policy = policy;
    const auto model = make_analytic_denoiser(options, {});
    auto affine = mixture_options();
    const auto other = make_analytic_denoiser(affine, {})->frozen_copy();
    const auto x = torch::randn({50, 2});
    const auto times = times_at(model->schedule(), 0.4, x);
    torch::NoGradGuard no_grad;
    EXPECT_TRUE(torch::equal(model->predict(x, times, {}), other->predict(x, times, {}))) << policy;
  }
}

TEST(AnalyticDenoiser, BiasIsAPushOnTheDataWithTheSlopeOfTweediesMean) {
  // With bias b at every knot the residual is kappa b, kappa = alpha S^2 / v: the optimum of G2 for b = u /
  // lambda.
  AnalyticOptions options;
  options.means = {{0.5, -1.0}};
  options.stds = {0.7};
  const auto model = make_analytic_denoiser(options, {});
  const auto pretrained = model->frozen_copy();
  torch::NoGradGuard no_grad;
  model->named_parameters()[0].second.copy_(torch::tensor({2.0F, -3.0F}).expand({16, 2}));
  const auto mixture = make_mixture(options);
  const QuadraticReward reward{{2.0 * 0.4, -3.0 * 0.4}, 0, {}};
  const auto x = torch::randn({4, 2});
  for (const double tau : {1.0, 0.37, 0.05, 0.001}) {
    const Schedule& schedule = model->schedule();
    const auto times = times_at(schedule, tau, x);
    const auto residual = model->predict(x, times, {}) - pretrained->predict(x, times, {});
    const Point optimal =
        mixture.optimal_value_gradient(reward, 0.4, schedule.alpha(tau), schedule.sigma(tau), {0.1, 0.2});
    for (long i = 0; i < 2; ++i) {
      EXPECT_NEAR(residual[0][i].item<double>(), optimal[static_cast<std::size_t>(i)] / 0.4, 2e-5);
    }
  }
}

TEST(AnalyticDenoiser, ARowDoesNotDependOnItsBatch) {
  const auto model = make_analytic_denoiser(mixture_options(), {});
  torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  for (auto& [name, tensor] : model->named_parameters()) {
    tensor.normal_();
  }
  const auto x = torch::randn({33, 2});
  const auto all = model->predict(x, times_at(model->schedule(), 0.3, x), {});
  for (long row = 0; row < x.size(0); ++row) {
    const auto one = x.narrow(0, row, 1);
    EXPECT_TRUE(
        torch::equal(model->predict(one, times_at(model->schedule(), 0.3, one), {}), all.narrow(0, row, 1)));
  }
}

TEST(AnalyticDenoiser, EveryParameterReceivesAGradient) {
  auto options = mixture_options();
  options.policy = "mlp";
  const auto model = make_analytic_denoiser(options, {});
  const auto x = torch::randn({64, 2});
  const auto times = row_times(
      model->schedule(), {{1.0, model->schedule().abar(1.0)}, {0.1, model->schedule().abar(0.1)}}, 32, x);
  const auto set_last = [&] {
    torch::NoGradGuard no_grad;
    model->named_parameters().back().second.normal_(); // at 0 it cuts the gradient of the hidden layers
  };
  set_last();
  model->predict(x, times, {}).square().sum().backward();
  for (const auto& [name, tensor] : model->named_parameters()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_GT(tensor.grad().abs().max().item<double>(), 0.0) << name;
  }
}

TEST(AnalyticDenoiser, FrozenCopyKeepsItsWeights) {
  const auto model = make_analytic_denoiser(mixture_options(), {});
  const auto copy = model->frozen_copy();
  torch::NoGradGuard no_grad;
  model->named_parameters()[0].second.fill_(1.0);
  for (const auto& [name, tensor] : copy->named_parameters()) {
    EXPECT_FALSE(tensor.requires_grad()) << name;
    EXPECT_EQ(tensor.abs().max().item<double>(), 0.0) << name;
  }
}

TEST(AnalyticDenoiser, DefaultScheduleHasAlmostNoSignalAtTheNoiseEnd) {
  EXPECT_LT(make_analytic_schedule({}).alpha(1.0), 0.0064);
  ScheduleOptions unknown;
  unknown.kind = "quadratic";
  EXPECT_THROW(make_analytic_schedule(unknown), Error);
}

TEST(AnalyticDenoiser, SaveWritesConfigAndWeights) {
  const auto directory = std::filesystem::temp_directory_path() / "scoreact_analytic_denoiser_test";
  std::filesystem::remove_all(directory);
  make_analytic_denoiser(mixture_options(), {})->save(directory.string());
  EXPECT_TRUE(std::filesystem::exists(directory / "config.json"));
  EXPECT_TRUE(std::filesystem::exists(directory / "residual.safetensors"));
  std::filesystem::remove_all(directory);
}

TEST(AnalyticDenoiser, RefusesAnUnknownPolicy) {
  auto options = mixture_options();
  options.policy = "spline";
  EXPECT_THROW(make_analytic_denoiser(options, {}), Error);
}

} // namespace
} // namespace scoreact
