// value.network = reward_copy: the trained branch is a copy of the reward's network whose last layers are
// free.
#include "rl/advantage.hpp"
#include "rl/value_fit.hpp"
#include "rl/value_function.hpp"

#include "error/error.hpp"
#include "unit/rl/gaussian_problem.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

/// RM(x) = w . tanh(2 x); the copy keeps tanh(2 x) and trains w.
class TwoLayers : public Reward {
 public:
  at::Tensor operator()(const at::Tensor& x, const at::Tensor&) override {
    return at::mv(at::tanh(2 * x), weight);
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "two_layers"; }
  std::unique_ptr<TrainableReward> trainable_copy(double frozen_fraction) const override {
    EXPECT_EQ(frozen_fraction, 0.7);
    return std::make_unique<Copy>(weight.clone().requires_grad_(true));
  }
  at::Tensor weight = torch::tensor({0.5f, -1.5f});
  inline static int calls_of_features = 0;

 private:
  class Copy : public TrainableReward {
   public:
    explicit Copy(at::Tensor weight) : weight_(std::move(weight)) {}
    at::Tensor features(const at::Tensor& x) override {
      ++calls_of_features;
      return at::tanh(2 * x);
    }
    long feature_elements() const override { return 2; }
    at::Tensor rear(const at::Tensor& features, const at::Tensor&) override {
      return at::mv(features, weight_);
    }
    std::vector<std::pair<std::string, at::Tensor>> parameters() override { return {{"weight", weight_}}; }

   private:
    at::Tensor weight_;
  };
};

struct CopyProblem {
  std::shared_ptr<TwoLayers> reward = std::make_shared<TwoLayers>();
  Communicator ranks{MPI_COMM_SELF};
  ValueFunction value(const std::string& c_out) const {
    ValueOptions options;
    options.network = "reward_copy";
    options.c_out = c_out;
    return ValueFunction(reward, options, {2}, 0, 1, ranks, true, at::kCPU);
  }
};

ValueRows some_rows() {
  torch::manual_seed(5);
  return {torch::randn({6, 2}), torch::randn({6, 2}), torch::linspace(0, 1, 6), {}};
}

TEST(ValueCopy, StartsAsTheRewardOfTheStateItself) {
  const CopyProblem problem;
  ValueFunction value = problem.value("sin");
  value.set_scale(7); // has no say: a copy counts in units of the reward
  EXPECT_EQ(value.scale(), 1);
  const ValueRows rows = some_rows();
  const ValueWeights weights = value_weights("sin", rows.tau);
  const at::Tensor expected =
      weights.skip * (*problem.reward)(rows.x0hat, {}) + weights.out * (*problem.reward)(rows.x, {});
  EXPECT_TRUE(torch::allclose(value.value(rows).detach(), expected, 1e-6, 1e-6));
  const at::Tensor frozen = value.frozen_branch(rows, false).value;
  EXPECT_TRUE(torch::equal(value.value(rows, frozen, value.trained_features(rows)).detach(),
                           value.value(rows, frozen).detach()));
}

TEST(ValueCopy, TrainsItsLastLayersAndLeavesTheRewardAlone) {
  const CopyProblem problem;
  ValueFunction value = problem.value("linear");
  const ValueRows rows = some_rows();
  const at::Tensor frozen = value.frozen_branch(rows, false).value, features = value.trained_features(rows);
  const auto error = [&] { return (value.value(rows, frozen, features) - 1.0).square().mean(); };
  const double before = error().item<double>();
  for (int i = 0; i < 50; ++i)
    value.optimizer().update({1, 0, 1}, 0.05, [&](long) {
      at::AutoGradMode grad_mode(true);
      error().backward();
    });
  EXPECT_LT(error().item<double>(), 0.5 * before);
  EXPECT_TRUE(torch::equal(problem.reward->weight, torch::tensor({0.5f, -1.5f})));
  EXPECT_TRUE(torch::equal(value.frozen_branch(rows, false).value, frozen));
}

TEST(ValueCopy, FeaturesAreComputedOnceForFitAndAdvantage) {
  testing_support::GaussianProblem problem;
  ValueFunction value = CopyProblem().value("linear");
  const at::Tensor returns = monte_carlo_returns(problem.batch, 0.1, true);
  const auto asked = [&] { return value_at_rows(problem.batch, problem.policy, value, false, 4).value; };
  TwoLayers::calls_of_features = 0;
  fit_value(problem.batch, returns, problem.policy, value, problem.ranks, 4, false);
  EXPECT_EQ(TwoLayers::calls_of_features, 2); // 8 samples, 4 in a call
  const at::Tensor kept = asked();
  EXPECT_EQ(TwoLayers::calls_of_features, 2);
  problem.batch.value_features.reset();
  EXPECT_TRUE(torch::equal(asked(), kept));
  EXPECT_EQ(TwoLayers::calls_of_features, 4);
}

TEST(ValueCopy, IsRefusedForARewardWithoutANetwork) {
  const testing_support::GaussianProblem problem;
  ValueOptions options;
  options.network = "reward_copy";
  EXPECT_THROW(problem.value_function(options), Error);
}

} // namespace
} // namespace scoreact
