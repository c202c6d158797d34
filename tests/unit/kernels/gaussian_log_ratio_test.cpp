// Log-density and log-ratio against LibTorch in double precision, the derivative against autograd.
#include "kernels/gaussian_log_ratio.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>

#include "bridge/bridge.hpp"

namespace scoreact::kernels {
namespace {

using bridge::rows;
using bridge::span;

struct Policies {
  at::Tensor action, mean, old_mean, std;
  Policies(long samples, long elements) {
    torch::manual_seed(2);
    mean = torch::randn({samples, elements});
    old_mean = mean + 0.01 * torch::randn({samples, elements});
    std = 0.05 + torch::rand({samples}, torch::kFloat64);
    action = (old_mean + std.unsqueeze(1) * torch::randn({samples, elements})).to(torch::kFloat32);
  }
  at::Tensor log_ratio(LogRatioReduction reduction) const {
    at::Tensor out = torch::full({mean.size(0)}, NAN, torch::kFloat64);
    gaussian_log_ratio({}, rows<const float>(action), rows<const float>(mean), rows<const float>(old_mean),
                       span<const double>(std), reduction, span<double>(out));
    return out;
  }
};

at::Tensor plain_log_prob(const at::Tensor& action, const at::Tensor& mean, const at::Tensor& std) {
  const at::Tensor a = action.to(torch::kFloat64), m = mean.to(torch::kFloat64), s = std.unsqueeze(1);
  return (-(a - m).square() / (2 * s.square()) - s.log() - 0.5 * std::log(2 * std::numbers::pi)).sum(1);
}

TEST(GaussianLogProb, MatchesTheFormulaInDouble) {
  for (const long elements : {1L, 17L, 3072L}) {
    const Policies p(8, elements);
    at::Tensor out = torch::full({8}, NAN, torch::kFloat64);
    gaussian_log_prob({}, rows<const float>(p.action), rows<const float>(p.mean), span<const double>(p.std),
                      span<double>(out));
    EXPECT_TRUE(torch::allclose(out, plain_log_prob(p.action, p.mean, p.std), 1e-12, 1e-12)) << elements;
  }
}

TEST(GaussianLogRatio, IsTheDifferenceOfLogDensities) {
  for (const long elements : {1L, 17L, 3072L}) {
    const Policies p(8, elements);
    const at::Tensor plain =
        plain_log_prob(p.action, p.mean, p.std) - plain_log_prob(p.action, p.old_mean, p.std);
    EXPECT_TRUE(torch::allclose(p.log_ratio(LogRatioReduction::sum), plain, 1e-9, 1e-9)) << elements;
    EXPECT_TRUE(torch::allclose(p.log_ratio(LogRatioReduction::mean), plain / elements, 1e-9, 1e-9))
        << elements;
  }
}

TEST(GaussianLogRatio, IsExactlyZeroWhenTheMeansAreTheSame) {
  Policies p(8, 3072);
  p.old_mean = p.mean.clone();
  EXPECT_TRUE(torch::equal(p.log_ratio(LogRatioReduction::sum), torch::zeros({8}, torch::kFloat64)));
}

TEST(GaussianLogRatio, GivesZeroForARowWithoutNoise) {
  Policies p(3, 40);
  p.std[1] = 0;
  const at::Tensor out = p.log_ratio(LogRatioReduction::sum);
  EXPECT_EQ(out[1].item<double>(), 0);
  EXPECT_NE(out[0].item<double>(), 0);
}

TEST(GaussianLogRatio, DoesNotDependOnTheOtherRows) {
  const Policies p(8, 1000);
  const at::Tensor whole = p.log_ratio(LogRatioReduction::sum);
  for (long r = 0; r < 8; ++r) {
    Policies one = p;
    one.action = p.action.slice(0, r, r + 1);
    one.mean = p.mean.slice(0, r, r + 1);
    one.old_mean = p.old_mean.slice(0, r, r + 1);
    one.std = p.std.slice(0, r, r + 1);
    EXPECT_EQ(one.log_ratio(LogRatioReduction::sum)[0].item<double>(), whole[r].item<double>());
  }
}

TEST(GaussianLogRatioBackward, MatchesAutograd) {
  const Policies p(6, 300);
  const at::Tensor upstream = torch::randn({6}, torch::kFloat64);
  for (const auto reduction : {LogRatioReduction::sum, LogRatioReduction::mean}) {
    at::Tensor mean = p.mean.to(torch::kFloat64).requires_grad_();
    at::Tensor plain = plain_log_prob(p.action, mean, p.std);
    if (reduction == LogRatioReduction::mean) {
      plain = plain / 300;
    }
    (plain * upstream).sum().backward();
    at::Tensor gradient = torch::full({6, 300}, NAN);
    gaussian_log_ratio_backward({}, rows<const float>(p.action), rows<const float>(p.mean),
                                span<const double>(p.std), reduction, span<const double>(upstream),
                                rows<float>(gradient));
    const double scale = mean.grad().abs().max().item<double>();
    EXPECT_LT((gradient - mean.grad()).abs().max().item<double>(), 5e-7 * scale);
  }
}

} // namespace
} // namespace scoreact::kernels
