// Advantage rate against the formula in double precision, and its slope in the action against autograd.
#include "kernels/advantage_rate.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "bridge/bridge.hpp"

namespace scoreact::kernels {
namespace {

using bridge::rows;
using bridge::span;

struct Case {
  at::Tensor action, mean, pretrained, gradient, drift, cost, std, difference;
  Case(long samples, long elements) {
    torch::manual_seed(3);
    mean = torch::randn({samples, elements});
    pretrained = mean + 0.1 * torch::randn({samples, elements});
    action = mean + 0.3 * torch::randn({samples, elements});
    gradient = torch::randn({samples, elements});
    drift = 1 + torch::rand({samples}, torch::kFloat64);
    cost = torch::rand({samples}, torch::kFloat64);
    std = torch::rand({samples}, torch::kFloat64);
    difference = torch::randn({samples}, torch::kFloat64);
  }
  AdvantageTerms terms(bool centred) const {
    return {span<const double>(drift), span<const double>(cost), span<const double>(std), centred};
  }
  at::Tensor rate(bool centred) const {
    at::Tensor out = torch::full({mean.size(0)}, NAN, torch::kFloat64);
    advantage_rate({}, rows<const float>(action), rows<const float>(mean), rows<const float>(pretrained),
                   rows<const float>(gradient), terms(centred), span<double>(out));
    return out;
  }
};

/// drift a . grad V - cost |a - p|^2, in the dtype of a.
at::Tensor hamiltonian(const Case& c, const at::Tensor& a) {
  return c.drift * (a * c.gradient).sum(1) - c.cost * (a - c.pretrained).square().sum(1);
}

TEST(AdvantageRate, MatchesTheFormulaInDouble) {
  for (const long elements : {1L, 31L, 3072L}) {
    const Case c(7, elements);
    const at::Tensor action = c.action.to(torch::kFloat64), mean = c.mean.to(torch::kFloat64);
    const at::Tensor plain = hamiltonian(c, action);
    const at::Tensor centred =
        plain - hamiltonian(c, mean) + c.cost * static_cast<double>(elements) * c.std.square();
    EXPECT_TRUE(torch::allclose(c.rate(false), plain, 1e-10, 1e-9)) << elements;
    EXPECT_TRUE(torch::allclose(c.rate(true), centred, 1e-9, 1e-8)) << elements;
  }
}

TEST(AdvantageRate, MatchesAutogradOfTheHamiltonian) {
  // The rate is quadratic in the action, so a central difference of any size gives its directional derivative
  // exactly; powers of two keep the shifted actions exact in float32.
  Case c(5, 200);
  at::Tensor direction = torch::randint(-1, 2, {5, 200}).to(torch::kFloat32);
  c.action = (c.action * 1024).round() / 1024;
  at::Tensor action = c.action.to(torch::kFloat64).requires_grad_();
  hamiltonian(c, action).sum().backward();
  const at::Tensor slope = (action.grad() * direction).sum(1);
  for (const bool centred : {false, true}) {
    Case up = c, down = c;
    up.action = c.action + 0.25 * direction;
    down.action = c.action - 0.25 * direction;
    EXPECT_TRUE(torch::allclose((up.rate(centred) - down.rate(centred)) / 0.5, slope, 1e-9, 1e-8)) << centred;
  }
}

TEST(AdvantageRate, CentredAveragesToZeroOverThePolicy) {
  Case c(4000, 16);
  c.mean = c.mean.slice(0, 0, 1).expand({4000, 16}).contiguous();
  c.pretrained = c.pretrained.slice(0, 0, 1).expand({4000, 16}).contiguous();
  c.gradient = c.gradient.slice(0, 0, 1).expand({4000, 16}).contiguous();
  c.drift.fill_(1.3);
  c.cost.fill_(0.6);
  c.std.fill_(0.5);
  c.action = c.mean + 0.5 * torch::randn({4000, 16});
  const at::Tensor rate = c.rate(true);
  const double standard_error = rate.std().item<double>() / std::sqrt(4000.0);
  EXPECT_LT(std::abs(rate.mean().item<double>()), 4 * standard_error);
}

TEST(AdvantageRate, FromADifferenceReplacesTheFirstTerm) {
  Case c(7, 100);
  for (const bool centred : {false, true}) {
    at::Tensor out = torch::full({7}, NAN, torch::kFloat64);
    advantage_rate_from_difference({}, rows<const float>(c.action), rows<const float>(c.mean),
                                   rows<const float>(c.pretrained), span<const double>(c.difference),
                                   c.terms(centred), span<double>(out));
    Case without_gradient = c;
    without_gradient.gradient = torch::zeros_like(c.gradient);
    EXPECT_TRUE(torch::allclose(out, c.difference + without_gradient.rate(centred), 1e-12, 1e-12)) << centred;
  }
}

TEST(AdvantageRate, DoesNotDependOnTheOtherRows) {
  const Case c(8, 1000);
  const at::Tensor whole = c.rate(true);
  Case tail = c;
  for (at::Tensor Case::*member : {&Case::action, &Case::mean, &Case::pretrained, &Case::gradient,
                                   &Case::drift, &Case::cost, &Case::std}) {
    tail.*member = (c.*member).slice(0, 5, 8);
  }
  EXPECT_TRUE(torch::equal(tail.rate(true), whole.slice(0, 5, 8)));
}

} // namespace
} // namespace scoreact::kernels
