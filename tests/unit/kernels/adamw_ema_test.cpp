// AdamW with clipping and EMA against torch::optim::AdamW over several steps.
#include "kernels/adamw_ema.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <stdexcept>

#include "bridge/bridge.hpp"

namespace scoreact::kernels {
namespace {

using bridge::span;

struct Flat {
  at::Tensor parameter, first, second, ema;
  explicit Flat(const at::Tensor& start)
      : parameter(start.clone()), first(torch::zeros_like(start)), second(torch::zeros_like(start)),
        ema(start.clone()) {}
  void step(const AdamWStep& options, const at::Tensor& gradient, bool with_ema = true) {
    double norm2 = -1;
    squared_norm({}, span<const float>(gradient), &norm2);
    adamw_ema({}, options, &norm2, span<float>(parameter), span<const float>(gradient), span<float>(first),
              span<float>(second), with_ema ? span<float>(ema) : Span<float>{});
  }
};

TEST(SquaredNorm, IsAccumulatedInDouble) {
  torch::manual_seed(9);
  for (const long n : {0L, 1L, 4096L, 100003L}) {
    const at::Tensor values = torch::randn({n});
    double out = -1;
    squared_norm({}, span<const float>(values), &out);
    EXPECT_NEAR(out, values.to(torch::kFloat64).square().sum().item<double>(), 1e-12 * static_cast<double>(n))
        << n;
  }
}

TEST(AdamW, MatchesTorchOverTwentySteps) {
  torch::manual_seed(10);
  for (const double clip : {0.0, 0.5}) {
    const at::Tensor start = torch::randn({5001});
    Flat flat(start);
    at::Tensor parameter = start.clone().requires_grad_();
    at::Tensor average = start.clone();
    torch::optim::AdamW reference(
        {parameter}, torch::optim::AdamWOptions(3e-3).betas({0.8, 0.95}).eps(1e-6).weight_decay(0.1));
    for (long t = 1; t <= 20; ++t) {
      const at::Tensor gradient = torch::randn({5001}) * static_cast<double>(t);
      parameter.mutable_grad() = 0.25 * gradient;
      if (clip > 0) {
        torch::nn::utils::clip_grad_norm_(parameter, clip);
      }
      reference.step();
      average = 0.9 * average + 0.1 * parameter.detach();
      flat.step({.learning_rate = 3e-3,
                 .beta1 = 0.8,
                 .beta2 = 0.95,
                 .epsilon = 1e-6,
                 .weight_decay = 0.1,
                 .step = t,
                 .gradient_scale = 0.25,
                 .max_grad_norm = clip,
                 .ema_decay = 0.9},
                gradient);
    }
    EXPECT_LT((flat.parameter - parameter).abs().max().item<float>(), 2e-6) << "clip " << clip;
    EXPECT_LT((flat.ema - average).abs().max().item<float>(), 2e-6) << "clip " << clip;
    EXPECT_GT((parameter - start).abs().max().item<float>(), 1e-2); // something moved
  }
}

TEST(AdamW, ClipsOnlyAboveTheBound) {
  const at::Tensor start = torch::zeros({100}), gradient = torch::full({100}, 0.01f); // norm 0.1
  Flat free(start), loose(start), tight(start);
  free.step({.max_grad_norm = 0}, gradient);
  loose.step({.max_grad_norm = 0.2}, gradient);
  tight.step({.max_grad_norm = 0.05}, gradient);
  EXPECT_TRUE(torch::equal(free.first, loose.first));
  EXPECT_TRUE(torch::allclose(tight.first, 0.5 * free.first, 1e-4, 0));
}

TEST(AdamW, WorksWithoutAnEma) {
  const at::Tensor start = torch::randn({100}), gradient = torch::randn({100});
  Flat with(start), without(start);
  with.step({.ema_decay = 0.5}, gradient, true);
  without.step({.ema_decay = 0.5}, gradient, false);
  EXPECT_TRUE(torch::equal(with.parameter, without.parameter));
  EXPECT_TRUE(torch::equal(without.ema, start));
  EXPECT_TRUE(torch::allclose(with.ema, 0.5 * (start + with.parameter), 1e-6, 1e-7));
}

TEST(AdamW, RefusesAStepBeforeTheFirst) {
  Flat flat(torch::zeros({3}));
  EXPECT_THROW(flat.step({.step = 0}, torch::zeros({3})), std::invalid_argument);
}

} // namespace
} // namespace scoreact::kernels
