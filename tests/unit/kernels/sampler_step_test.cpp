// The fused sampler step against its parts: normal_noise, a plain loop, gaussian_log_prob.
#include "kernels/sampler_step.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <stdexcept>

#include "bridge/bridge.hpp"
#include "kernels/gaussian_log_ratio.hpp"

namespace scoreact::kernels {
namespace {

using bridge::rows;
using bridge::span;

const NoiseKey action_key{.seed = 4, .epoch = 1, .step = 6, .purpose = Purpose::action};
const NoiseKey brownian_key{.seed = 4, .epoch = 1, .step = 6, .purpose = Purpose::brownian};

struct Batch {
  at::Tensor state, mean, carried, action, next, log_prob;
  Batch(long samples, long elements) {
    torch::manual_seed(1);
    state = torch::randn({samples, elements});
    mean = torch::randn({samples, elements});
    carried = torch::randn({samples, elements});
    action = torch::full({samples, elements}, NAN);
    next = torch::full({samples, elements}, NAN);
    log_prob = torch::full({samples}, NAN, torch::kFloat64);
  }
  void step(const StepCoefficients& c, std::int64_t first_sample) {
    const Rows<const float> extra = c.carry != 0 ? rows<const float>(carried) : Rows<const float>{};
    sampler_step({}, action_key, brownian_key, first_sample, c, rows<const float>(state),
                 rows<const float>(mean), extra, rows<float>(action), rows<float>(next),
                 span<double>(log_prob));
  }
};

at::Tensor noise_like(const at::Tensor& like, NoiseKey key, std::int64_t first_sample) {
  at::Tensor noise = torch::empty_like(like);
  normal_noise({}, key, first_sample, rows<float>(noise));
  return noise;
}

TEST(SamplerStep, MatchesAPlainLoopWithTheNoiseOfNormalNoise) {
  const StepCoefficients c{.keep = 1.01, .push = 0.3, .carry = -0.2, .spread = 0.4, .action_std = 0.7};
  for (const long elements : {1L, 63L, 64L, 200L}) {
    Batch b(5, elements);
    b.step(c, 17);
    const at::Tensor eps = noise_like(b.mean, action_key, 17), z = noise_like(b.mean, brownian_key, 17);
    const at::Tensor action = b.mean + 0.7 * eps;
    EXPECT_LT((b.action - action).abs().max().item<float>(), 2e-6) << elements;
    const at::Tensor next = 1.01 * b.state.to(torch::kFloat64) + 0.3 * b.action - 0.2 * b.carried + 0.4 * z;
    EXPECT_LT((b.next - next).abs().max().item<double>(), 3e-6) << elements;
  }
}

TEST(SamplerStep, ReportsTheLogDensityOfTheStoredAction) {
  const StepCoefficients c{.keep = 1, .push = 0.3, .action_std = 0.05};
  Batch b(9, 3072);
  b.step(c, 0);
  at::Tensor log_prob = torch::empty({9}, torch::kFloat64), std = torch::full({9}, 0.05, torch::kFloat64);
  gaussian_log_prob({}, rows<const float>(b.action), rows<const float>(b.mean), span<const double>(std),
                    span<double>(log_prob));
  EXPECT_TRUE(torch::equal(b.log_prob, log_prob));
}

TEST(SamplerStep, WithoutActionNoiseTakesTheMeanAndReportsZero) {
  Batch b(4, 50);
  b.step({.keep = 0.9, .push = 0.2, .spread = 0.1}, 3);
  EXPECT_TRUE(torch::equal(b.action, b.mean));
  EXPECT_TRUE(torch::equal(b.log_prob, torch::zeros({4}, torch::kFloat64)));
  const at::Tensor next = 0.9 * b.state + 0.2 * b.mean + 0.1 * noise_like(b.mean, brownian_key, 3);
  EXPECT_LT((b.next - next).abs().max().item<float>(), 2e-6);
}

TEST(SamplerStep, WithoutAnyNoiseIsAffine) {
  Batch b(4, 50);
  b.step({.keep = 0.9, .push = 0.2}, 3);
  EXPECT_LT((b.next - (0.9 * b.state + 0.2 * b.mean)).abs().max().item<float>(), 1e-6);
}

TEST(SamplerStep, DoesNotDependOnHowRowsAreSplit) {
  const StepCoefficients c{.keep = 1, .push = 0.3, .carry = 0.1, .spread = 0.4, .action_std = 0.7};
  Batch whole(6, 100), part(6, 100);
  whole.step(c, 10);
  for (const auto& [begin, end] : {std::pair{0L, 1L}, std::pair{1L, 6L}}) {
    sampler_step(
        {}, action_key, brownian_key, 10 + begin, c, rows<const float>(part.state.slice(0, begin, end)),
        rows<const float>(part.mean.slice(0, begin, end)),
        rows<const float>(part.carried.slice(0, begin, end)), rows<float>(part.action.slice(0, begin, end)),
        rows<float>(part.next.slice(0, begin, end)), span<double>(part.log_prob.slice(0, begin, end)));
  }
  EXPECT_TRUE(torch::equal(whole.action, part.action));
  EXPECT_TRUE(torch::equal(whole.next, part.next));
  EXPECT_TRUE(torch::equal(whole.log_prob, part.log_prob));
}

TEST(SamplerStep, MayWriteTheNextStateOverTheState) {
  const StepCoefficients c{.keep = 1, .push = 0.3, .spread = 0.4, .action_std = 0.7};
  Batch apart(3, 130), over(3, 130);
  apart.step(c, 0);
  over.next = over.state;
  over.step(c, 0);
  EXPECT_TRUE(torch::equal(over.state, apart.next));
}

TEST(SamplerStep, RefusesShapesThatDiffer) {
  Batch b(3, 10);
  b.next = torch::empty({3, 9});
  EXPECT_THROW(b.step({}, 0), std::invalid_argument);
}

} // namespace
} // namespace scoreact::kernels
