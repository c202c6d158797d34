// The clipped surrogate against LibTorch's autograd in double precision.
#include "kernels/clipped_surrogate.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <stdexcept>

#include "bridge/bridge.hpp"

namespace scoreact::kernels {
namespace {

using bridge::span;

struct Result {
  at::Tensor derivative, value;
  SurrogateSummary summary;
};

Result evaluate(SurrogateBounds bounds, const at::Tensor& log_ratio, const at::Tensor& advantage,
                const at::Tensor& weight) {
  Result r{torch::full_like(log_ratio, NAN), torch::full_like(log_ratio, NAN), {NAN, NAN, NAN, NAN}};
  clipped_surrogate({}, bounds, span<const double>(log_ratio), span<const double>(advantage),
                    span<const double>(weight), span<double>(r.derivative), span<double>(r.value),
                    &r.summary);
  return r;
}

class ClippedSurrogate : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(RatioConventions, ClippedSurrogate, testing::Bool(),
                         [](const auto& info) { return info.param ? "MeanRatio" : "TrueRatio"; });

TEST_P(ClippedSurrogate, MatchesAutograd) {
  torch::manual_seed(7);
  const bool mean_ratio = GetParam();
  const double d = 192, clip = mean_ratio ? 1e-3 : 0.2;
  const SurrogateBounds bounds{std::log(1 - clip), std::log(1 + clip), d, mean_ratio};
  at::Tensor log_ratio = (0.3 * torch::randn({1000}, torch::kFloat64)).requires_grad_();
  const at::Tensor advantage = torch::randn({1000}, torch::kFloat64),
                   weight = torch::rand({1000}, torch::kFloat64);
  const double scale = mean_ratio ? 1 : d;
  const at::Tensor ratio = torch::exp(log_ratio / d);
  const at::Tensor clipped = ratio.clamp(std::exp(bounds.log_low / scale), std::exp(bounds.log_high / scale));
  const at::Tensor value = weight * scale * torch::min(ratio * advantage, clipped * advantage);
  value.sum().backward();

  const Result r = evaluate(bounds, log_ratio.detach(), advantage, weight);
  EXPECT_TRUE(torch::allclose(r.value, value, 1e-12, 1e-12));
  EXPECT_TRUE(torch::allclose(r.derivative, log_ratio.grad(), 1e-12, 1e-14));
  EXPECT_NEAR(r.summary.value, value.sum().item<double>(), 1e-9);
  const double cut = (log_ratio.grad() == 0).sum().item<double>();
  EXPECT_GT(cut, 50); // the comparison sees both branches
  EXPECT_LT(cut, 950);
  EXPECT_EQ(r.summary.clipped, cut);
  EXPECT_NEAR(r.summary.approx_kl, (0.5 * log_ratio.square()).sum().item<double>(), 1e-9);
  EXPECT_NEAR(r.summary.max_ratio_deviation, (ratio - 1).abs().max().item<double>(), 1e-13);
}

TEST(ClippedSurrogateAtOne, HasTheSlopeOfThePolicyGradientWhateverTheDimension) {
  const at::Tensor zero = torch::zeros({4}, torch::kFloat64), one = torch::ones({4}, torch::kFloat64);
  const at::Tensor advantage = torch::tensor({-2.0, 0.0, 0.5, 3.0}, torch::kFloat64);
  for (const double d : {1.0, 192.0, 16384.0}) {
    const Result r = evaluate({std::log(0.8), std::log(1.2), d, false}, zero, advantage, one);
    EXPECT_TRUE(torch::equal(r.derivative, advantage)) << d;
    EXPECT_EQ(r.summary.clipped, 0);
    EXPECT_EQ(r.summary.max_ratio_deviation, 0);
  }
}

TEST(ClippedSurrogateAtOne, SummaryOfNoRowsIsZero) {
  const at::Tensor none = torch::empty({0}, torch::kFloat64);
  const Result r = evaluate({-0.1, 0.1, 3, false}, none, none, none);
  EXPECT_EQ(r.summary.value, 0);
  EXPECT_EQ(r.summary.max_ratio_deviation, 0);
}

TEST(ClippedSurrogateAtOne, RefusesBoundsThatExcludeOne) {
  const at::Tensor one = torch::ones({1}, torch::kFloat64);
  EXPECT_THROW(evaluate({0.1, 0.2, 3, false}, one, one, one), std::invalid_argument);
  EXPECT_THROW(evaluate({-0.1, 0.2, 0, false}, one, one, one), std::invalid_argument);
}

} // namespace
} // namespace scoreact::kernels
