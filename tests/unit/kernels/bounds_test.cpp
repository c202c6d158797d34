// Kernels read and write inside of their arguments and nowhere else, whatever the extents. Around every array
// lies NaN: what reads it spoils a result, what writes over it is seen. With the address sanitizer the arrays
// have their exact size instead, and its own guards do that work.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/adamw_ema.hpp"
#include "kernels/advantage_rate.hpp"
#include "kernels/clipped_surrogate.hpp"
#include "kernels/gaussian_log_ratio.hpp"
#include "kernels/normal_noise.hpp"
#include "kernels/path_kl.hpp"
#include "kernels/returns.hpp"
#include "kernels/sampler_step.hpp"

namespace scoreact::kernels {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kMargin = 0;
#else
constexpr std::size_t kMargin = 64;
#endif

template <class T> class Guarded {
 public:
  explicit Guarded(long size, double start = 0.25)
      : size_(static_cast<std::size_t>(size)),
        memory_(size_ + 2 * kMargin, std::numeric_limits<T>::quiet_NaN()) {
    for (std::size_t i = 0; i < size_; ++i)
      memory_[kMargin + i] = static_cast<T>(start + 0.5 * std::sin(static_cast<double>(i)));
  }
  ~Guarded() {
    for (std::size_t i = 0; i < kMargin; ++i)
      EXPECT_TRUE(std::isnan(memory_[i]) && std::isnan(memory_[kMargin + size_ + i])) << "written outside";
    for (std::size_t i = 0; i < size_; ++i)
      EXPECT_TRUE(std::isfinite(memory_[kMargin + i])) << "element " << i << " of " << size_;
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  Span<T> span() { return {memory_.data() + kMargin, static_cast<long>(size_)}; }
  Rows<T> rows(long samples) {
    return {memory_.data() + kMargin, samples, static_cast<long>(size_) / samples};
  }

 private:
  std::size_t size_;
  std::vector<T> memory_;
};

struct Extents {
  long samples, elements;
};

class KernelBounds : public testing::TestWithParam<Extents> {
 protected:
  const long samples = GetParam().samples, elements = GetParam().elements, all = samples * elements;
};
INSTANTIATE_TEST_SUITE_P(Extents, KernelBounds,
                         testing::Values(Extents{1, 1}, Extents{3, 7}, Extents{2, 63}, Extents{3, 64},
                                         Extents{65, 65}, Extents{1, 4097}, Extents{5, 1000}),
                         [](const auto& info) {
                           return std::to_string(info.param.samples) + "x" +
                                  std::to_string(info.param.elements);
                         });

TEST_P(KernelBounds, SamplerStep) {
  Guarded<float> state(all), mean(all), carried(all), action(all), next(all);
  Guarded<double> log_prob(samples);
  const NoiseKey key{.seed = 1, .step = 2, .purpose = Purpose::action};
  const NoiseKey other{.seed = 1, .step = 2, .purpose = Purpose::brownian};
  for (const double carry : {0.0, -0.2}) {
    sampler_step({}, key, other, 5,
                 {.keep = 1, .push = 0.3, .carry = carry, .spread = 0.4, .action_std = 0.7},
                 state.rows(samples), mean.rows(samples), carried.rows(samples), action.rows(samples),
                 next.rows(samples), log_prob.span());
  }
  sampler_step({}, key, other, 5, {.keep = 1, .push = 0.3}, state.rows(samples), mean.rows(samples), {},
               action.rows(samples), state.rows(samples), log_prob.span());
}

TEST_P(KernelBounds, Noise) {
  Guarded<float> noise(all);
  normal_noise({}, {.seed = 3}, 1, noise.rows(samples));
  uniform_noise({}, {.seed = 3}, 1, noise.rows(samples));
}

TEST_P(KernelBounds, GaussianLogRatio) {
  Guarded<float> action(all), mean(all, 0.2), old_mean(all, 0.3), gradient(all);
  Guarded<double> std(samples, 1), upstream(samples), out(samples);
  for (const auto reduction : {LogRatioReduction::sum, LogRatioReduction::mean}) {
    gaussian_log_ratio({}, action.rows(samples), mean.rows(samples), old_mean.rows(samples), std.span(),
                       reduction, out.span());
    gaussian_log_ratio_backward({}, action.rows(samples), mean.rows(samples), std.span(), reduction,
                                upstream.span(), gradient.rows(samples));
  }
  gaussian_log_prob({}, action.rows(samples), mean.rows(samples), std.span(), out.span());
}

TEST_P(KernelBounds, AdvantageRate) {
  Guarded<float> action(all), mean(all), pretrained(all), gradient(all);
  Guarded<double> drift(samples), cost(samples), std(samples), difference(samples), rate(samples);
  for (const bool centred : {false, true}) {
    const AdvantageTerms terms{drift.span(), cost.span(), std.span(), centred};
    advantage_rate({}, action.rows(samples), mean.rows(samples), pretrained.rows(samples),
                   gradient.rows(samples), terms, rate.span());
    advantage_rate_from_difference({}, action.rows(samples), mean.rows(samples), pretrained.rows(samples),
                                   difference.span(), terms, rate.span());
  }
}

TEST_P(KernelBounds, PathKlAndReturns) {
  Guarded<float> mean(all), pretrained(all);
  Guarded<double> factor(samples), density(samples), cost(all), weight(all), integral(elements),
      reward(elements), returns(all);
  path_kl_density({}, mean.rows(samples), pretrained.rows(samples), factor.span(), density.span());
  // [times, samples] here
  path_kl_integral({}, cost.rows(samples), weight.rows(samples), integral.span());
  returns_with_running_cost({}, cost.rows(samples), reward.span(), returns.rows(samples));
  returns_with_running_cost({}, cost.rows(samples), reward.span(), cost.rows(samples));
}

TEST_P(KernelBounds, ClippedSurrogate) {
  Guarded<double> log_ratio(all), advantage(all), weight(all), derivative(all), value(all);
  SurrogateSummary summary;
  clipped_surrogate({}, {-0.2, 0.2, 3, false}, log_ratio.span(), advantage.span(), weight.span(),
                    derivative.span(), value.span(), &summary);
  EXPECT_TRUE(std::isfinite(summary.value) && std::isfinite(summary.approx_kl));
}

TEST_P(KernelBounds, AdamW) {
  Guarded<float> parameter(all), gradient(all), first(all), second(all, 1), ema(all);
  double norm2 = -1;
  squared_norm({}, gradient.span(), &norm2);
  EXPECT_TRUE(std::isfinite(norm2));
  adamw_ema({}, {.step = 3, .max_grad_norm = 1, .ema_decay = 0.9}, &norm2, parameter.span(), gradient.span(),
            first.span(), second.span(), ema.span());
  adamw_ema({}, {.step = 4}, nullptr, parameter.span(), gradient.span(), first.span(), second.span(), {});
}

} // namespace
} // namespace scoreact::kernels
