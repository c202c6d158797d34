// The value study: all designs see the same rows, learn from them, and none is measured on what it was fitted
// to.
#include "evaluation/value_study.hpp"

#include "models/registry.hpp"
#include "rewards/polynomial_reward.hpp"
#include "rl/rollout_steps.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <numeric>
#include <set>

namespace scoreact {
namespace {

struct GaussianStudy {
  std::shared_ptr<Denoiser> network;
  std::shared_ptr<Reward> reward;
  Prompts prompts{{}, 0};
  Communicator ranks;
  StudySize size{.samples = 120, .test_samples = 24, .train_times = 4, .test_times = 6, .micro_batch = 32};
  StudyData data;

  GaussianStudy() {
    ModelOptions model;
    model.kind = "analytic";
    network = make_denoiser(model, {});
    RewardOptions options;
    options.vector = {1.0, 0.5};
    reward = make_linear_reward(options, network->sample_shape());
    ScorePolicy policy(network, 1.0);
    const SampleOptions sample{.grid = "uniform", .num_steps = 20};
    data = collect_study_data(policy, *reward, prompts, step_table(network->schedule(), sample, {9, 0}), size,
                              {9, 0}, at::kCPU);
  }
};

TEST(StudyData, HasItsRowsAndTheReturnOfEachTrajectory) {
  const GaussianStudy study;
  const StudyData& data = study.data;
  EXPECT_EQ(data.train.size(), 96 * 4);
  EXPECT_EQ(data.test.size(), 24 * 6);
  EXPECT_EQ(data.tau.size(), 6u);
  EXPECT_EQ(std::get<0>(at::_unique(data.test.target)).numel(), 24);
  EXPECT_EQ(std::get<0>(at::_unique(data.train.target)).numel(), 96);
  const at::Tensor both = at::cat({data.train.target, data.test.target});
  EXPECT_EQ(std::get<0>(at::_unique(both)).numel(), 120) << "a trajectory is for fitting or for testing";
}

TEST(StudyData, HoldsTheRewardOfBothPredictors) {
  const GaussianStudy study;
  const StudyRows& rows = study.data.test;
  const at::Tensor direction = at::tensor({1.0f, 0.5f});
  EXPECT_TRUE(at::allclose(rows.reward_x, rows.x.matmul(direction), 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(rows.reward_x0hat, rows.x0hat.matmul(direction), 1e-5, 1e-6));
}

TEST(ValueDesigns, AreThoseOfTableOneAndAConstant) {
  std::set<std::string> names;
  for (const ValueDesignOptions& design : value_designs())
    names.insert(design.name);
  EXPECT_EQ(names.size(), 8u);
  EXPECT_TRUE(names.contains("x0hat_x_sin"));
  EXPECT_TRUE(names.contains("x_x_one_minus_cos"));
}

TEST(FitDesign, OfTheConstantIsTheVarianceAroundTheTrainingMean) {
  const GaussianStudy study;
  const DesignResult result =
      fit_design({"constant", "", "", ""}, study.data, study.reward, {}, 0, study.ranks);
  const at::Tensor train = study.data.train.target.to(at::kDouble),
                   test = study.data.test.target.to(at::kDouble);
  EXPECT_NEAR(result.train_mse.back(), train.var(false).item<double>(), 1e-9);
  EXPECT_NEAR(result.test_mse.back(), (test - train.mean()).square().mean().item<double>(), 1e-9);
}

TEST(FitDesign, BeatsTheConstantForALinearRewardAndIsTheMeanOverTimes) {
  // RM is linear, so V = RM(x0hat) exactly and only c_skip keeps the predictor from being right at once
  const GaussianStudy study;
  StudyFit fit;
  fit.passes = 15;
  fit.value.batch_size = 64;
  const auto run = [&](const ValueDesignOptions& design) {
    return fit_design(design, study.data, study.reward, fit, 0, study.ranks);
  };
  const DesignResult constant = run({"constant", "", "", ""});
  const DesignResult design = run({"x0hat_x_sin", "x0hat", "x", "sin"});
  ASSERT_EQ(design.test_mse.size(), 15u);
  EXPECT_LT(design.test_mse.back(), constant.test_mse.back());
  EXPECT_LT(design.train_mse.back(), design.train_mse.front());
  EXPECT_NEAR(std::accumulate(design.per_time.begin(), design.per_time.end(), 0.0) / 6.0,
              design.test_mse.back(), 1e-9);
  EXPECT_LT(design.per_time.back(), 0.1 * design.per_time.front()) << "near the data the reward is known";
  EXPECT_EQ(run({"x0hat_x_sin", "x0hat", "x", "sin"}).test_mse, design.test_mse) << "the same bits again";
}

TEST(MeanOfThird, TakesTheTimesOfItsThird) {
  DesignResult result;
  result.per_time = {1, 2, 3, 4};
  const std::vector<double> tau = {1.0, 0.6, 0.4, 0.1};
  EXPECT_DOUBLE_EQ(mean_of_third(result, tau, 0), 4.0);
  EXPECT_DOUBLE_EQ(mean_of_third(result, tau, 1), 2.5);
  EXPECT_DOUBLE_EQ(mean_of_third(result, tau, 2), 1.0);
}

} // namespace
} // namespace scoreact
