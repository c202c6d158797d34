#include "optim/early_reduction.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstring>

namespace scoreact {
namespace {

/// Sums by MPI at once, and notes when it was asked to.
class Noted final : public GradientReduction {
 public:
  explicit Noted(const Communicator& ranks) : ranks_(ranks) {}
  void start(const at::Tensor& slice) override {
    ranks_.sum(slice.data_ptr<float>(), static_cast<std::size_t>(slice.numel()));
    lengths.push_back(static_cast<long>(slice.numel()));
    addresses.push_back(slice.data_ptr<float>());
  }
  void finish() override { ++finished; }
  void abandon() override { ++abandoned; }
  std::string name() const override { return "noted"; }

  std::vector<long> lengths;
  std::vector<float*> addresses;
  int finished = 0, abandoned = 0;

 private:
  const Communicator& ranks_;
};

/// Three layers in a row, as in a network: the last one's gradients come first.
struct Chain {
  std::vector<at::Tensor> layers = {torch::full({4}, 2.0F), torch::full({3}, 3.0F), torch::full({5}, 5.0F)};
  FlatParameters parameters;
  std::vector<long> started_at_layer; ///< slices on their way when the backward pass leaves layer 2, 1

  Chain() : parameters(named(layers)) {}
  static std::vector<std::pair<std::string, at::Tensor>> named(std::vector<at::Tensor>& layers) {
    std::vector<std::pair<std::string, at::Tensor>> list;
    for (at::Tensor& layer : layers)
      list.emplace_back("layer" + std::to_string(list.size()), layer.requires_grad_());
    return list;
  }
  /// backward() of scale * (sum l0) (sum l1) (sum l2), by way of each layer's output.
  void backward(float scale, const EarlyReduction* watched) {
    at::Tensor x = torch::full({1}, scale);
    for (at::Tensor& layer : layers) {
      x = x * layer.sum();
      if (watched != nullptr && x.requires_grad())
        x.register_hook(
            [this, watched](const at::Tensor&) { started_at_layer.push_back(watched->started()); });
    }
    x.sum().backward();
  }
};

TEST(EarlyReduction, CutsTheGradientIntoSlicesOfWholeParametersFromTheEnd) {
  const Communicator ranks;
  Chain chain;
  Noted reduction(ranks);
  EarlyReduction early(chain.parameters, reduction, 6);
  EXPECT_EQ(early.slices(), 2);
  early.finish(); // without a backward pass, as on a rank that has no micro-batch
  const float* gradient = chain.parameters.gradient().data_ptr<float>();
  ASSERT_EQ(reduction.lengths, (std::vector<long>{8, 4}));
  EXPECT_EQ(reduction.addresses[0], gradient + 4);
  EXPECT_EQ(reduction.addresses[1], gradient);
  EXPECT_EQ(reduction.finished, 1);
}

TEST(EarlyReduction, GivesTheSumsOfAReductionAtTheEnd) {
  const Communicator ranks;
  const float mine = 1.0F / static_cast<float>(ranks.rank() + 3);
  Chain late;
  late.backward(mine, nullptr);
  late.backward(mine * 0.7F, nullptr);
  ranks.sum(late.parameters.gradient().data_ptr<float>(), 12);

  for (const long slice : {1L, 4L, 6L, 100L}) {
    Chain chain;
    Noted reduction(ranks);
    EarlyReduction early(chain.parameters, reduction, slice);
    for (int update = 0; update < 2; ++update) { // the second finds everything as the first did
      chain.parameters.zero_gradient();
      chain.backward(mine, nullptr); // not the last pass: nothing may start
      EXPECT_EQ(early.started(), 0);
      early.expect_last_pass();
      chain.backward(mine * 0.7F, nullptr);
      EXPECT_EQ(early.started(), early.slices()) << "all gradients are there";
      early.finish();
      EXPECT_EQ(early.started(), 0);
      EXPECT_EQ(std::memcmp(chain.parameters.gradient().data_ptr<float>(),
                            late.parameters.gradient().data_ptr<float>(), 12 * sizeof(float)),
                0)
          << "slices of " << slice;
    }
  }
}

TEST(EarlyReduction, StartsWhileTheBackwardPassIsAtWork) {
  const Communicator ranks;
  Chain chain;
  Noted reduction(ranks);
  EarlyReduction early(chain.parameters, reduction, 1);
  early.expect_last_pass();
  chain.backward(1, &early);
  early.finish();
  ASSERT_FALSE(chain.started_at_layer.empty());
  EXPECT_EQ(chain.started_at_layer.front(), 0) << "nothing is ready before the last layer";
  EXPECT_GE(chain.started_at_layer.back(), 1)
      << "the last layer is under way before the first one is reached";
}

TEST(EarlyReduction, RefusesASecondPassAndGivesUpWhatItStarted) {
  const Communicator ranks;
  Chain chain;
  Noted reduction(ranks);
  {
    EarlyReduction early(chain.parameters, reduction, 1);
    early.expect_last_pass();
    chain.backward(1, nullptr);
    EXPECT_THROW(chain.backward(1, nullptr), Error);
    early.abandon();
    EXPECT_EQ(reduction.abandoned, 1);
    early.abandon();
    EXPECT_EQ(reduction.abandoned, 1) << "nothing was started since";
  }
  const std::size_t before = reduction.lengths.size();
  chain.backward(1, nullptr);
  EXPECT_EQ(reduction.lengths.size(), before) << "the hooks are gone with their owner";
}

} // namespace
} // namespace scoreact
