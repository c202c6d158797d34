#include "optim/flat_adamw.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

constexpr long kSamples = 8;

/// Two equal networks with a nonlinear loss: one for torch's optimiser, one for ours.
struct Regression {
  Regression() {
    torch::manual_seed(11);
    network = torch::nn::Sequential(torch::nn::Linear(3, 5), torch::nn::Tanh(), torch::nn::Linear(5, 1));
    input = torch::randn({kSamples, 3});
    target = 4.0 * torch::randn({kSamples, 1});
  }
  std::vector<std::pair<std::string, at::Tensor>> named() {
    std::vector<std::pair<std::string, at::Tensor>> list;
    for (const auto& item : network->named_parameters())
      list.emplace_back(item.key(), item.value());
    return list;
  }
  /// Share of the samples [first, first + count) in the mean squared error.
  at::Tensor loss(long first, long count) {
    return (network->forward(input.narrow(0, first, count)) - target.narrow(0, first, count)).square().sum() /
           static_cast<double>(kSamples);
  }
  torch::nn::Sequential network{nullptr};
  at::Tensor input, target;
};

at::Tensor flat(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> pieces;
  for (const at::Tensor& tensor : tensors)
    pieces.push_back(tensor.detach().flatten());
  return torch::cat(pieces);
}

TEST(FlatAdamW, FollowsTorchsAdamWWithClippedGradients) {
  const Communicator alone(MPI_COMM_SELF);
  for (const double max_norm : {0.5, 1e4}) { // always clips; never clips
    Regression theirs, ours;
    torch::optim::AdamW reference(theirs.network->parameters(),
                                  torch::optim::AdamWOptions(0.01).weight_decay(0.05).betas({0.8, 0.95}));
    AdamWOptions options;
    options.beta1 = 0.8;
    options.beta2 = 0.95;
    options.weight_decay = 0.05;
    options.max_grad_norm = max_norm;
    FlatAdamW optimizer(FlatParameters(ours.named()), options, alone, true);
    for (long step = 0; step < 12; ++step) {
      const double rate = 0.01 / static_cast<double>(step + 1);
      reference.zero_grad();
      theirs.loss(0, kSamples).backward();
      const double their_norm = torch::nn::utils::clip_grad_norm_(theirs.network->parameters(), max_norm);
      static_cast<torch::optim::AdamWOptions&>(reference.param_groups()[0].options()).lr(rate);
      reference.step();

      const at::Tensor norm =
          optimizer.update({1, 0, 1}, rate, [&](long) { ours.loss(0, kSamples).backward(); });
      EXPECT_NEAR(norm.item<double>(), their_norm, 1e-5 * their_norm) << step;
      EXPECT_TRUE(
          torch::allclose(optimizer.parameters().values(), flat(theirs.network->parameters()), 1e-5, 1e-6))
          << "update " << step << ", max_grad_norm " << max_norm;
    }
    EXPECT_EQ(optimizer.steps(), 12);
  }
}

TEST(FlatAdamW, FollowsTorchsParameterGroupsWithTheirOwnRates) {
  const Communicator alone(MPI_COMM_SELF);
  Regression theirs, ours;
  const auto all = theirs.network->parameters();
  using Group = torch::optim::OptimizerParamGroup;
  using Options = torch::optim::AdamWOptions;
  const auto options_of = [](double rate) {
    return std::make_unique<Options>(Options(rate).weight_decay(0.05));
  };
  std::vector<Group> groups;
  groups.emplace_back(std::vector<at::Tensor>{all[0], all[1]}, options_of(0.01));
  groups.emplace_back(std::vector<at::Tensor>{all[2], all[3]}, options_of(0.007));
  torch::optim::AdamW reference(groups, Options(0.01));
  AdamWOptions options;
  options.weight_decay = 0.05;
  options.max_grad_norm = 0.5;
  FlatAdamW optimizer(FlatParameters(ours.named()), options, alone, true);
  EXPECT_THROW(optimizer.set_rates({{20, 1.0}}), Error);
  optimizer.set_rates({{20, 1.0}, {6, 0.7}});
  for (long step = 0; step < 6; ++step) {
    reference.zero_grad();
    theirs.loss(0, kSamples).backward();
    torch::nn::utils::clip_grad_norm_(theirs.network->parameters(), 0.5);
    reference.step();
    optimizer.update({1, 0, 1}, 0.01, [&](long) { ours.loss(0, kSamples).backward(); });
    EXPECT_TRUE(
        torch::allclose(optimizer.parameters().values(), flat(theirs.network->parameters()), 1e-5, 1e-6))
        << "update " << step;
  }
}

TEST(FlatAdamW, AddsMicroBatchesToTheGradientOfTheWholeBatch) {
  const Communicator alone(MPI_COMM_SELF);
  AdamWOptions options;
  options.max_grad_norm = 0;
  Regression whole;
  FlatAdamW reference(FlatParameters(whole.named()), options, alone, true);
  reference.update({1, 0, 1}, 1e-2, [&](long) { whole.loss(0, kSamples).backward(); });
  for (const bool deterministic : {true, false}) {
    for (const long parts : {2L, 4L, 8L}) {
      Regression cut;
      FlatAdamW optimizer(FlatParameters(cut.named()), options, alone, deterministic);
      const long count = kSamples / parts;
      std::vector<long> seen;
      optimizer.update({parts, 0, parts}, 1e-2, [&](long i) {
        seen.push_back(i);
        cut.loss(i * count, count).backward();
      });
      EXPECT_EQ(static_cast<long>(seen.size()), parts);
      EXPECT_TRUE(
          torch::allclose(optimizer.parameters().gradient(), reference.parameters().gradient(), 1e-5, 1e-6))
          << parts;
    }
  }
}

TEST(FlatAdamW, KeepsAnAverageOfTheWeights) {
  const Communicator alone(MPI_COMM_SELF);
  Regression problem;
  AdamWOptions options;
  options.ema_decay = 0.7;
  FlatAdamW optimizer(FlatParameters(problem.named()), options, alone, true);
  at::Tensor expected = optimizer.parameters().values().clone();
  ASSERT_TRUE(torch::equal(optimizer.ema(), expected));
  for (int step = 0; step < 4; ++step) {
    optimizer.update({1, 0, 1}, 1e-2, [&](long) { problem.loss(0, kSamples).backward(); });
    expected = 0.7 * expected + 0.3 * optimizer.parameters().values();
    EXPECT_TRUE(torch::allclose(optimizer.ema(), expected, 1e-6, 1e-7));
  }
  EXPECT_FALSE(torch::equal(optimizer.ema(), optimizer.parameters().values()));
}

TEST(FlatAdamW, GoesOnFromItsStateWithTheSameBits) {
  const Communicator alone(MPI_COMM_SELF);
  Regression first, second;
  FlatAdamW optimizer(FlatParameters(first.named()), {}, alone, true);
  FlatAdamW continued(FlatParameters(second.named()), {}, alone, true);
  const auto step = [](FlatAdamW& adamw, Regression& problem) {
    adamw.update({1, 0, 1}, 1e-2, [&](long) { problem.loss(0, kSamples).backward(); });
  };
  for (int i = 0; i < 3; ++i)
    step(optimizer, first);
  {
    torch::NoGradGuard no_grad;
    continued.parameters().values().copy_(optimizer.parameters().values());
    const auto from = optimizer.state(), to = continued.state();
    ASSERT_EQ(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      EXPECT_EQ(from[i].first, to[i].first);
      to[i].second.copy_(from[i].second);
    }
    continued.set_steps(optimizer.steps());
  }
  step(optimizer, first);
  step(continued, second);
  EXPECT_TRUE(torch::equal(optimizer.parameters().values(), continued.parameters().values()));
}

} // namespace
} // namespace scoreact
