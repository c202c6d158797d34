// Scoring a policy: dealing of samples, the subset of steps of the KL estimate, and a shifted Gaussian whose
// KL is known.
#include "evaluation/policy_evaluation.hpp"

#include "evaluation/inference.hpp"
#include "models/registry.hpp"
#include "rewards/polynomial_reward.hpp"
#include "rl/rollout_steps.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numeric>

namespace scoreact {
namespace {

TEST(DealSamples, GivesEverySampleToOneRankInWholeMicroBatches) {
  for (const long total : {1L, 7L, 64L, 400L})
    for (const long micro : {1L, 3L, 64L})
      for (const int ranks : {1, 2, 5}) {
        long next = 0;
        for (int rank = 0; rank < ranks; ++rank) {
          const Shard shard = deal_samples(total, micro, rank, ranks);
          EXPECT_EQ(shard.first, next);
          EXPECT_TRUE(shard.first % shard.micro_batch == 0 || shard.count == 0);
          next += shard.count;
        }
        EXPECT_EQ(next, total);
      }
}

TEST(DivergenceWeights, TakeEveryStepOfAShortChain) {
  EXPECT_EQ(divergence_weights(10, {1, 0}, 0), std::vector<double>(10, 1.0));
}

TEST(DivergenceWeights, AlwaysHaveTheLastTenthAndAreUnbiasedForTheRest) {
  constexpr long kSteps = 50, kDraws = 4000;
  std::vector<double> mean(kSteps, 0.0);
  for (long draw = 0; draw < kDraws; ++draw) {
    const std::vector<double> weights = divergence_weights(kSteps, {5, 0}, draw);
    for (std::size_t k = 45; k < 50; ++k)
      ASSERT_EQ(weights[k], 1.0);
    for (std::size_t k = 0; k < weights.size(); ++k)
      mean[k] += weights[k] / kDraws;
  }
  for (std::size_t k = 0; k < mean.size(); ++k)
    EXPECT_NEAR(mean[k], 1.0, 0.15) << k; // a weight of about 4 drawn with probability 1/4: 4 sigma = .11
}

/// A Gaussian model and a policy whose score is its own plus a constant.
struct ShiftedPolicy {
  std::shared_ptr<Denoiser> network;
  std::unique_ptr<ScorePolicy> policy;
  std::shared_ptr<Reward> reward;
  Prompts prompts{{}, 0};
  Communicator ranks;

  explicit ShiftedPolicy(double shift) {
    ModelOptions model;
    model.kind = "analytic";
    network = make_denoiser(model, {});
    policy = std::make_unique<ScorePolicy>(network, 1.0);
    torch::NoGradGuard no_grad;
    for (auto& [name, parameter] : network->named_parameters())
      parameter.add_(shift);
    RewardOptions options;
    options.vector = {1.0, 0.0};
    reward = make_linear_reward(options, network->sample_shape());
  }
  PolicyEvaluation evaluate(const SampleOptions& sample, long count) {
    const StepTable table = step_table(network->schedule(), sample, {3, 0});
    return evaluate_policy({*policy, reward, nullptr, prompts, ranks, at::kCPU, 16}, table, count, {3, 0},
                           {true, [](const at::Tensor& x) { return 2 * x; }, 30});
  }
};

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST(EvaluatePolicy, FindsNoDivergenceOfThePretrainedPolicy) {
  ShiftedPolicy unchanged(0.0);
  const PolicyEvaluation result = unchanged.evaluate({.num_steps = 20}, 37);
  EXPECT_EQ(result.reward.size(), 37u);
  EXPECT_EQ(result.features.size(), 60u) << "of the first 30";
  EXPECT_EQ(mean_of(result.kl_path), 0.0);
  EXPECT_EQ(mean_of(result.kl_chain), 0.0);
  for (std::size_t i = 0; i < 30; ++i)
    EXPECT_NEAR(2 * result.reward[i], result.features[2 * i], 1e-6); // RM = (1, 0) . x
}

TEST(EvaluatePolicy, AgreesOnPathAndChainDivergenceForEulerSteps) {
  ShiftedPolicy shifted(0.05);
  const PolicyEvaluation result =
      shifted.evaluate({.solver = "euler_maruyama", .grid = "uniform", .num_steps = 10}, 32);
  EXPECT_GT(mean_of(result.kl_path), 0.0);
  for (std::size_t i = 0; i < result.kl_path.size(); ++i)
    EXPECT_NEAR(result.kl_path[i], result.kl_chain[i], 1e-9 * result.kl_path[i]);
}

TEST(EvaluatePolicy, EstimatesTheFullSumFromSomeOfTheSteps) {
  ShiftedPolicy shifted(0.05);
  const SampleOptions sample{.solver = "euler_maruyama", .grid = "uniform", .num_steps = 40};
  const StepTable table = step_table(shifted.network->schedule(), sample, {3, 0});
  std::vector<double> full(256, 0.0);
  const at::Tensor prompt = shifted.prompts.in_turn(0, 256);
  draw(*shifted.policy, table, mean_actions(table), deal_samples(256, 16, 0, 1), prompt, {3, 0}, {},
       [&](const StepView& view) {
         const at::Tensor pre = shifted.policy->pretrained_mean(view.x, view.times, view.prompt);
         const at::Tensor squared = (view.mean - pre).to(at::kDouble).square().sum(1);
         for (long i = 0; i < squared.size(0); ++i)
           full[static_cast<std::size_t>(view.first + i)] +=
               table.steps[static_cast<std::size_t>(view.step)].girsanov * squared[i].item<double>();
       });
  const PolicyEvaluation result = shifted.evaluate(sample, 256);
  EXPECT_NEAR(mean_of(result.kl_path), mean_of(full), 0.2 * mean_of(full));
}

TEST(EvaluatePolicy, HasNoDivergenceForDeterministicSolvers) {
  ShiftedPolicy shifted(0.05);
  const PolicyEvaluation result = shifted.evaluate({.num_steps = 5, .eta = 0.0}, 4);
  EXPECT_TRUE(std::isnan(result.kl_path[0]));
  EXPECT_TRUE(std::isnan(result.kl_chain[0]));
}

} // namespace
} // namespace scoreact
