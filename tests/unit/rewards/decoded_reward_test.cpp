// A reward of pictures as a reward of latents: the same values and gradients as decoding all rows at once
// with a graph.
#include "rewards/decoded_reward.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

namespace scoreact {
namespace {

at::Tensor decode(const at::Tensor& latents) {
  return torch::tanh(latents.repeat_interleave(2, 2)) + latents.mean();
}

/// RM(pixels, c) = sum of (c + 1) sin(pixels); notes how many rows it sees at once.
class Wavy : public Reward {
 public:
  explicit Wavy(bool differentiable) : differentiable_(differentiable) {}
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    seen.insert(x.size(0));
    return torch::sin(x).flatten(1).sum(1) * (prompt + 1);
  }
  bool differentiable() const override { return differentiable_; }
  std::string name() const override { return "wavy"; }
  std::set<long> seen;

 private:
  bool differentiable_;
};

RewardContext in_rows_of(long rows, long with_graph) {
  RewardContext context;
  // row by row, as a decoder is: decode() above takes a mean, which must be that of the row
  context.to_pixels = [](const at::Tensor& x) {
    std::vector<at::Tensor> pixels;
    for (long i = 0; i < x.size(0); ++i)
      pixels.push_back(decode(x.narrow(0, i, 1)));
    return at::cat(pixels);
  };
  context.decoded_together = rows;
  context.decoded_with_graph = with_graph;
  return context;
}

TEST(DecodedReward, ValuesAndGradientsAreThoseOfOneGraph) {
  torch::manual_seed(3);
  const at::Tensor latents = torch::randn({5, 2, 3, 4}), prompt = torch::tensor({0, 1, 2, 0, 4});
  const at::Tensor outer = torch::randn({5});
  const auto wavy = std::make_shared<Wavy>(true);
  const at::Tensor all = latents.clone().requires_grad_(true);
  const at::Tensor expected = (*wavy)(in_rows_of(1, 1).to_pixels(all), prompt);
  const at::Tensor gradient = torch::autograd::grad({expected}, {all}, {outer})[0];
  wavy->seen.clear();
  const auto reward = make_decoded_reward(wavy, in_rows_of(3, 2));
  const at::Tensor x = latents.clone().requires_grad_(true);
  const at::Tensor found = (*reward)(x, prompt);
  EXPECT_TRUE(torch::allclose(found, expected, 1e-6, 1e-6));
  EXPECT_TRUE(torch::allclose(torch::autograd::grad({found}, {x}, {outer})[0], gradient, 1e-5, 1e-6));
  EXPECT_EQ(wavy->seen, (std::set<long>{1, 2}));
  wavy->seen.clear();
  EXPECT_TRUE(torch::allclose((*reward)(latents, prompt), expected, 1e-6, 1e-6));
  EXPECT_EQ(wavy->seen, (std::set<long>{2, 3})); // more at a time where nothing has to be kept
  EXPECT_TRUE(reward->differentiable());
}

TEST(DecodedReward, WithoutAGradientNoGraphIsKept) {
  const at::Tensor x = torch::randn({3, 1, 2, 2}, torch::requires_grad()),
                   prompt = torch::zeros({3}, at::kLong);
  const auto no_gradient = make_decoded_reward(std::make_shared<Wavy>(false), in_rows_of(8, 8));
  EXPECT_FALSE((*no_gradient)(x, prompt).requires_grad());
  const auto with = make_decoded_reward(std::make_shared<Wavy>(true), in_rows_of(8, 8));
  torch::NoGradGuard no_grad;
  EXPECT_FALSE((*with)(x, prompt).requires_grad());
}

} // namespace
} // namespace scoreact
