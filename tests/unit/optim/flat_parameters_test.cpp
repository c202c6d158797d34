#include "optim/flat_parameters.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

std::vector<std::pair<std::string, at::Tensor>> two_tensors() {
  return {{"weight", torch::arange(6, torch::kFloat).view({2, 3}).set_requires_grad(true)},
          {"bias", torch::tensor({10.0F, 20.0F}).set_requires_grad(true)}};
}

TEST(FlatParameters, KeepTheValuesInOrder) {
  const FlatParameters flat(two_tensors());
  EXPECT_EQ(flat.size(), 8);
  EXPECT_TRUE(torch::equal(flat.values(), torch::tensor({0.0F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 10.0F, 20.0F})));
  EXPECT_FALSE(flat.values().requires_grad());
}

TEST(FlatParameters, AreTheNetworksTensorsAfterwards) {
  auto tensors = two_tensors();
  const at::Tensor weight = tensors[0].second; // the network's own handle
  const FlatParameters flat(tensors);
  torch::NoGradGuard no_grad;
  flat.values().fill_(7.0F);
  EXPECT_TRUE(torch::equal(weight.detach(), torch::full({2, 3}, 7.0F)));
  weight[1][2].fill_(-1.0F);
  EXPECT_EQ(flat.values()[5].item<float>(), -1.0F);
}

TEST(FlatParameters, GradientsFlowIntoTheFlatBufferAndAddUp) {
  auto tensors = two_tensors();
  FlatParameters flat(tensors);
  const auto backward = [&] {
    (tensors[0].second.square().sum() + 3.0 * tensors[1].second.sum()).backward();
  };
  backward();
  const at::Tensor once = torch::tensor({0.0F, 2.0F, 4.0F, 6.0F, 8.0F, 10.0F, 3.0F, 3.0F});
  EXPECT_TRUE(torch::equal(flat.gradient(), once));
  backward();
  EXPECT_TRUE(torch::equal(flat.gradient(), 2 * once));
  flat.zero_gradient();
  EXPECT_EQ(flat.gradient().abs().max().item<float>(), 0.0F);
  backward(); // still the same memory
  EXPECT_TRUE(torch::equal(flat.gradient(), once));
}

TEST(FlatParameters, CutAnyFlatVectorIntoTheNamedShapes) {
  const FlatParameters flat(two_tensors());
  const at::Tensor other = torch::arange(8, torch::kFloat);
  const auto views = flat.views_of(other);
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[0].first, "weight");
  EXPECT_TRUE(torch::equal(views[0].second, torch::arange(6, torch::kFloat).view({2, 3})));
  EXPECT_TRUE(torch::equal(views[1].second, torch::tensor({6.0F, 7.0F})));
  EXPECT_EQ(views[1].second.data_ptr<float>(), other.data_ptr<float>() + 6);
}

TEST(FlatParameters, TellWhatTheyCannotHold) {
  EXPECT_THROW(FlatParameters({}), Error);
  EXPECT_THROW(FlatParameters({{"w", torch::zeros({2}, torch::kDouble).set_requires_grad(true)}}), Error);
}

} // namespace
} // namespace scoreact
