#include "rl/algorithm.hpp"

#include "error/error.hpp"
#include "unit/rl/counting_reward.hpp"
#include "unit/rl/gaussian_problem.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <array>
#include <cmath>

namespace scoreact {
namespace {

using namespace testing_support;

/// Everything that an algorithm is built from, on the Gaussian problem.
struct Setting {
  AlgorithmContext context() {
    return {problem.policy, problem.reward,           algorithm,    train, value,
            prompt_stats,   {1e-2, "constant", 0, 1}, problem.ranks};
  }
  explicit Setting(const std::string& name, const std::string& update = "pathwise") {
    algorithm.name = name;
    algorithm.update = update;
    train.minibatch_size = 8;
    train.micro_batch_size = 4;
    train.num_times = 3;
    value.steps_per_epoch = 2;
    value.hidden = 8;
  }
  /// A rollout of the policy as it is now.
  Trajectories roll_out() {
    torch::NoGradGuard no_grad;
    Trajectories fresh = collect(problem.policy, problem.table, problem.actions, whole(16, 16),
                                 torch::zeros({16}, torch::kLong), {7, 3});
    fresh.reward = (*problem.reward)(fresh.final_state(), fresh.prompt).to(torch::kDouble);
    return fresh;
  }
  GaussianProblem problem{16, "ddim", 8};
  AlgorithmOptions algorithm;
  TrainOptions train;
  ValueOptions value;
  PromptStatOptions prompt_stats;
};

TEST(AlgorithmRegistry, NamesWhatItKnows) {
  EXPECT_EQ(algorithm_names(), (std::vector<std::string>{"ctrl", "ddpo"}));
  Setting setting("reinforce");
  try {
    make_algorithm(setting.context());
    FAIL() << "reinforce is not known";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    for (const char* part : {"algorithm.name", "ctrl", "ddpo", "reinforce"})
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(AlgorithmRegistry, RefusesWhatAnAlgorithmCannotDo) {
  Setting setting("ddpo", "pathwise"); // no value function
  EXPECT_THROW(make_algorithm(setting.context()), Error);
}

class EveryAlgorithm : public testing::TestWithParam<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, EveryAlgorithm,
                         testing::Values(std::pair{"ctrl", "pathwise"}, std::pair{"ctrl", "clipped"},
                                         std::pair{"ctrl", "policy_gradient"}, std::pair{"ddpo", "clipped"},
                                         std::pair{"ddpo", "policy_gradient"}));

TEST_P(EveryAlgorithm, LearnsAndReportsFiniteNumbers) {
  Setting setting(GetParam().first, GetParam().second);
  const auto algorithm = make_algorithm(setting.context());
  const at::Tensor before = algorithm->policy_optimizer().parameters().values().clone();
  const LearnReport report = algorithm->learn(setting.problem.batch);
  EXPECT_FALSE(torch::equal(algorithm->policy_optimizer().parameters().values(), before));
  EXPECT_EQ(algorithm->policy_optimizer().steps(), 2);
  EXPECT_EQ(report.update.ratio_first_max_deviation, 0.0);
  EXPECT_EQ(setting.problem.batch.times.count(), 3);
  EXPECT_EQ(report.kl_path.size(), 16U);
  for (const auto* kl : {&report.kl_path, &report.kl_chain})
    for (const double nats : *kl) {
      EXPECT_TRUE(std::isfinite(nats));
      EXPECT_GT(nats, 0.0); // the policy has left its pretrained model
    }
  for (const double number : {report.value_mse, report.advantage_std, report.update.clip_fraction,
                              report.update.policy_kl, report.update.grad_norm})
    EXPECT_TRUE(std::isfinite(number));
  EXPECT_EQ(algorithm->value_function() != nullptr, std::string(GetParam().first) == "ctrl");
}

class EveryAdvantage : public testing::TestWithParam<std::array<const char*, 3>> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, EveryAdvantage,
                         testing::Values(std::array{"ctrl", "pathwise", "gradient"},
                                         std::array{"ctrl", "clipped", "gradient"},
                                         std::array{"ctrl", "clipped", "finite_difference"},
                                         std::array{"ctrl", "policy_gradient", "increment"},
                                         std::array{"ddpo", "clipped", "gradient"}));

TEST_P(EveryAdvantage, CostsWhatItSaysBefore) {
  Setting setting(GetParam()[0], GetParam()[1]);
  setting.algorithm.advantage = GetParam()[2];
  const auto counted = std::make_shared<CountingReward>(setting.problem.reward);
  setting.problem.reward = counted;
  const auto algorithm = make_algorithm(setting.context());
  const LearnCost cost = algorithm->learn_cost(16, setting.problem.table.size(), setting.train.num_times);
  const LearnReport report = algorithm->learn(setting.problem.batch);
  EXPECT_EQ(counted->states, cost.rewards);
  EXPECT_EQ(report.network_evaluations, cost.network_evaluations + report.update.network_evaluations);
  EXPECT_EQ(cost.copies, 0);
}

TEST_P(EveryAlgorithm, GoesOnFromItsStateWithTheSameBits) {
  Setting first(GetParam().first, GetParam().second), second(GetParam().first, GetParam().second);
  first.prompt_stats = second.prompt_stats = {.buffer_size = 32, .min_count = 4};
  const auto original = make_algorithm(first.context()), continued = make_algorithm(second.context());
  original->learn(first.problem.batch);
  {
    torch::NoGradGuard no_grad;
    const auto copy = [](FlatAdamW& from, FlatAdamW& to) {
      to.parameters().values().copy_(from.parameters().values());
      for (std::size_t i = 0; i < from.state().size(); ++i)
        to.state()[i].second.copy_(from.state()[i].second);
      to.set_steps(from.steps());
    };
    copy(original->policy_optimizer(), continued->policy_optimizer());
    if (original->value_function())
      copy(original->value_function()->optimizer(), continued->value_function()->optimizer());
    continued->restore(original->state());
  }
  Trajectories batch = first.roll_out(), same = second.roll_out();
  original->learn(batch);
  continued->learn(same);
  EXPECT_TRUE(torch::equal(original->policy_optimizer().parameters().values(),
                           continued->policy_optimizer().parameters().values()));
}

TEST(Ctrl, RefusesAPathKlWithoutNoise) {
  Setting setting("ctrl");
  setting.problem.batch.table = table_of("ddim", 8, 0.0);
  const auto algorithm = make_algorithm(setting.context());
  EXPECT_THROW(algorithm->learn(setting.problem.batch), Error);
}

TEST(GatherSamples, AndTheirDeviation) {
  const Communicator alone(MPI_COMM_SELF);
  EXPECT_EQ(gather_samples(torch::tensor({1, 3}, torch::kLong), alone), (std::vector<double>{1, 3}));
  EXPECT_DOUBLE_EQ(global_std(torch::tensor({{1.0, 3.0}, {5.0, 7.0}}, torch::kDouble), alone),
                   std::sqrt(5.0));
}

} // namespace
} // namespace scoreact
