// Path KL and returns: sums over elements and over time, against LibTorch in double precision.
#include "kernels/path_kl.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <stdexcept>

#include "bridge/bridge.hpp"
#include "kernels/returns.hpp"

namespace scoreact::kernels {
namespace {

using bridge::rows;
using bridge::span;

TEST(PathKl, DensityIsTheSquaredDistanceTimesTheFactor) {
  torch::manual_seed(4);
  for (const long elements : {1L, 100L, 3072L}) {
    const at::Tensor mean = torch::randn({6, elements}), pretrained = torch::randn({6, elements});
    const at::Tensor factor = torch::rand({6}, torch::kFloat64);
    at::Tensor density = torch::full({6}, NAN, torch::kFloat64);
    path_kl_density({}, rows<const float>(mean), rows<const float>(pretrained), span<const double>(factor),
                    span<double>(density));
    const at::Tensor plain =
        factor * (mean.to(torch::kFloat64) - pretrained.to(torch::kFloat64)).square().sum(1);
    EXPECT_TRUE(torch::allclose(density, plain, 1e-12, 1e-12)) << elements;
  }
}

TEST(PathKl, IsExactlyZeroForThePretrainedModelItself) {
  const at::Tensor mean = torch::randn({6, 77}), factor = torch::rand({6}, torch::kFloat64);
  at::Tensor density = torch::full({6}, NAN, torch::kFloat64);
  path_kl_density({}, rows<const float>(mean), rows<const float>(mean), span<const double>(factor),
                  span<double>(density));
  EXPECT_TRUE(torch::equal(density, torch::zeros({6}, torch::kFloat64)));
}

TEST(PathKl, IntegralIsTheWeightedSumOverTime) {
  torch::manual_seed(5);
  for (const long samples : {1L, 64L, 65L, 300L}) {
    const at::Tensor density = torch::rand({50, samples}, torch::kFloat64),
                     weight = torch::rand({50, samples}, torch::kFloat64);
    at::Tensor integral = torch::full({samples}, NAN, torch::kFloat64);
    path_kl_integral({}, rows<const double>(density), rows<const double>(weight), span<double>(integral));
    EXPECT_TRUE(torch::allclose(integral, (weight * density).sum(0), 1e-13, 1e-13)) << samples;
  }
}

TEST(Returns, AreTheRewardLessTheCostStillToCome) {
  torch::manual_seed(6);
  for (const long samples : {1L, 64L, 65L, 300L}) {
    at::Tensor cost = torch::rand({20, samples}, torch::kFloat64);
    const at::Tensor reward = torch::randn({samples}, torch::kFloat64);
    at::Tensor returns = torch::full({20, samples}, NAN, torch::kFloat64);
    returns_with_running_cost({}, rows<const double>(cost), span<const double>(reward),
                              rows<double>(returns));
    const at::Tensor plain = reward - cost.flip(0).cumsum(0).flip(0);
    EXPECT_TRUE(torch::allclose(returns, plain, 1e-13, 1e-13)) << samples;
    returns_with_running_cost({}, rows<const double>(cost), span<const double>(reward), rows<double>(cost));
    EXPECT_TRUE(torch::equal(cost, returns)) << "in place, " << samples;
  }
}

TEST(Returns, RefuseAWrongNumberOfRewards) {
  at::Tensor cost = torch::rand({20, 5}, torch::kFloat64), reward = torch::rand({4}, torch::kFloat64);
  EXPECT_THROW(
      returns_with_running_cost({}, rows<const double>(cost), span<const double>(reward), rows<double>(cost)),
      std::invalid_argument);
}

} // namespace
} // namespace scoreact::kernels
