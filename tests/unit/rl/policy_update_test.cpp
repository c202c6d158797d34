#include "rl/policy_update.hpp"

#include "rl/advantage.hpp"
#include "rl/chosen_rows.hpp"
#include "unit/rl/gaussian_problem.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

using namespace testing_support;

constexpr long kSamples = 8;
constexpr double kLambda = 0.3;

/// A rollout with an advantage and a value gradient to learn from.
struct Learning {
  Learning() {
    problem.batch.times = choose_times(6, 3, 1.0, 1, 0, problem.batch.shard);
    attach_pretrained(problem.batch, problem.policy, kSamples);
    ValueFunction value = problem.value_function({});
    scatter_weights(value);
    AlgorithmOptions options;
    options.kl_weight = kLambda;
    attach_advantage(problem.batch, problem.policy, value, options, kSamples);
    signal.value_gradient = value_at_rows(problem.batch, problem.policy, value, true, kSamples).gradient;
    signal.advantage = problem.batch.advantage;
    train.minibatch_size = kSamples;
    train.micro_batch_size = kSamples;
    train.adam_weight_decay = 0;
    train.max_grad_norm = 0;
  }
  UpdateReport update(const std::string& kind, double rate) {
    algorithm.update = kind;
    algorithm.kl_weight = kLambda;
    updater.emplace(problem.policy, algorithm, train, LearningRateOptions{rate, "constant", 0, 1},
                    problem.ranks, true);
    return (*updater)(problem.batch, kind == "pathwise" ? UpdateSignal{{}, signal.value_gradient}
                                                        : UpdateSignal{signal.advantage, {}});
  }
  /// dJ/dtheta that the update followed.
  at::Tensor gradient() { return -updater->optimizer().parameters().gradient().clone(); }
  /// dJ/dtheta of an explicit objective of the policy mean [T B, d].
  at::Tensor by_autograd(const std::function<at::Tensor(const ChosenRows&, const at::Tensor&)>& objective) {
    std::vector<at::Tensor> parameters;
    for (const auto& [name, tensor] : problem.network->named_parameters())
      parameters.push_back(tensor);
    const ChosenRows rows = chosen_rows(problem.batch, problem.policy.schedule(), 0, kSamples);
    const at::Tensor mean = problem.policy.mean(rows.x, rows.times, rows.prompt);
    std::vector<at::Tensor> pieces;
    for (const at::Tensor& piece : torch::autograd::grad({objective(rows, mean)}, parameters))
      pieces.push_back(piece.flatten());
    return torch::cat(pieces);
  }
  at::Tensor per_row(const std::function<double(const Step&)>& number) const {
    return step_numbers(problem.table, problem.batch.times.step.flatten(), number);
  }
  GaussianProblem problem{kSamples, "ddim", 6};
  AlgorithmOptions algorithm;
  TrainOptions train;
  UpdateSignal signal;
  std::optional<PolicyUpdate> updater;
};

const auto kUpdates = testing::Values("pathwise", "policy_gradient", "clipped");

class EveryUpdate : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Updates, EveryUpdate, kUpdates);

TEST_P(EveryUpdate, SeesARatioOfExactlyOneBeforeItsFirstStep) {
  Learning learning;
  learning.train.minibatch_size = learning.train.micro_batch_size = 4; // other batches than the rollout's
  learning.train.num_inner_epochs = 2;
  const UpdateReport report = learning.update(GetParam(), 1e-2);
  EXPECT_EQ(report.ratio_first_max_deviation, 0.0);
  EXPECT_EQ(learning.updater->optimizer().steps(), 4);
  EXPECT_EQ(report.network_evaluations, 2 * kSamples * 3);
  EXPECT_GT(report.policy_kl, 0.0); // and one that differs afterwards
  EXPECT_GT(report.grad_norm, 0.0);
}

TEST_P(EveryUpdate, HasTheSameGradientFromMicroBatches) {
  Learning whole, cut;
  cut.train.micro_batch_size = 2;
  whole.update(GetParam(), 0.0);
  cut.update(GetParam(), 0.0);
  EXPECT_TRUE(torch::allclose(whole.gradient(), cut.gradient(), 1e-5, 1e-6));
  EXPECT_GT(whole.gradient().norm().item<double>(), 1e-3);
}

TEST_P(EveryUpdate, RaisesItsObjective) {
  Learning learning;
  learning.update(GetParam(), 0.0);
  const at::Tensor uphill = learning.gradient();
  const at::Tensor before = learning.updater->optimizer().parameters().values().clone();
  learning.update(GetParam(), 1e-4);
  const at::Tensor moved = learning.updater->optimizer().parameters().values() - before;
  EXPECT_GT((moved * uphill).sum().item<double>(), 0.0);
}

TEST(ClippedSurrogate, HasThePolicyGradientAtRatioOne) {
  Learning clipped, plain;
  clipped.update("clipped", 0.0);
  plain.update("policy_gradient", 0.0);
  EXPECT_TRUE(torch::allclose(clipped.gradient(), plain.gradient(), 1e-6, 1e-7));
}

TEST(PolicyGradient, IsTheGradientOfTheWeightedLikelihood) { // eq. 23
  Learning learning;
  learning.update("policy_gradient", 0.0);
  const at::Tensor advantage = rows_of(learning.signal.advantage, 0, kSamples);
  const at::Tensor weight = learning.problem.batch.times.weight.flatten();
  const at::Tensor expected = learning.by_autograd([&](const ChosenRows& rows, const at::Tensor& mean) {
    const at::Tensor log_density =
        -(rows.action - mean).to(torch::kDouble).square().sum(1) / (2 * rows.action_std.square());
    return (weight * advantage * log_density).sum() / static_cast<double>(kSamples);
  });
  EXPECT_TRUE(torch::allclose(learning.gradient(), expected, 1e-4, 1e-5)) << learning.gradient() << expected;
}

TEST(PathwiseUpdate, IsTheGradientOfTheExplicitObjective) { // eq. 23 with its mean over actions taken
  Learning learning;
  learning.update("pathwise", 0.0);
  const at::Tensor weight = learning.problem.batch.times.weight.flatten();
  const at::Tensor drift = learning.per_row([](const Step& step) { return drift_weight(step); });
  const at::Tensor girsanov = learning.per_row([](const Step& step) { return step.girsanov; });
  const at::Tensor value_gradient = rows_of(learning.signal.value_gradient, 0, kSamples);
  const at::Tensor pretrained = rows_of(learning.problem.batch.pretrained_mean, 0, kSamples);
  const at::Tensor expected = learning.by_autograd([&](const ChosenRows&, const at::Tensor& mean) {
    const at::Tensor gain = drift * (mean * value_gradient).sum(1);
    const at::Tensor cost = kLambda * girsanov * (mean - pretrained).square().sum(1);
    return (weight * (gain - cost)).sum() / static_cast<double>(kSamples);
  });
  EXPECT_TRUE(torch::allclose(learning.gradient(), expected, 1e-4, 1e-5)) << learning.gradient() << expected;
}

TEST(PolicyUpdate, ClipsRatiosThatHaveLeftTheRange) {
  Learning learning;
  learning.train.num_inner_epochs = 8;
  learning.train.clip_range = 0.05;
  EXPECT_GT(learning.update("clipped", 3e-2).clip_fraction, 0.1);
  Learning free;
  free.train.num_inner_epochs = 8;
  EXPECT_EQ(free.update("policy_gradient", 3e-2).clip_fraction, 0.0);
}

TEST(PolicyUpdate, StopsAtTheLimitOfThePolicyKl) {
  Learning learning;
  learning.train.num_inner_epochs = 20;
  learning.algorithm.policy_kl_limit = 0.05;
  const UpdateReport report = learning.update("policy_gradient", 3e-2);
  EXPECT_GT(report.policy_kl, 0.05);
  EXPECT_LT(learning.updater->optimizer().steps(), 20);
  EXPECT_GT(learning.updater->optimizer().steps(), 1);
}

TEST(PolicyUpdate, CountsItsUpdates) {
  TrainOptions train;
  train.minibatch_size = 4;
  train.num_inner_epochs = 3;
  EXPECT_EQ(updates_per_epoch(16, train), 12);
}

} // namespace
} // namespace scoreact
