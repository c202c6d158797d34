// Every kernel beside the eager LibTorch code that would take its place, on one thread, in one run; and the
// STREAM triad, so that each kernel's share of the machine's memory bandwidth is printed (counter
// triad_share; above 1 means that the arrays of the small size stay in cache). Bytes count each array once a
// pass, as read or written.
//   bench_kernels --benchmark_min_time=0.2          (docs/kernels.md holds a measured table)
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include "bridge/bridge.hpp"
#include "kernels/adamw_ema.hpp"
#include "kernels/advantage_rate.hpp"
#include "kernels/clipped_surrogate.hpp"
#include "kernels/gaussian_log_ratio.hpp"
#include "kernels/group_statistics.hpp"
#include "kernels/normal_noise.hpp"
#include "kernels/path_kl.hpp"
#include "kernels/returns.hpp"
#include "kernels/runtime.hpp"
#include "kernels/sampler_step.hpp"
#include "triad.hpp"

namespace scoreact {
namespace {

using namespace kernels;
using bridge::rows;
using bridge::span;

/// a = b + s c over arrays far larger than the last cache level; the best of ten, as STREAM does.
double measure_triad() {
  const std::size_t n = std::size_t{1} << 25;
  std::vector<double> a(n, 0), b(n, 1), c(n, 2);
  double best = 0;
  for (int repeat = 0; repeat < 10; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    double* const pa = a.data();
    const double *const pb = b.data(), *const pc = c.data();
    for (std::size_t i = 0; i < n; ++i) {
      pa[i] = pb[i] + 3.0 * pc[i];
    }
    benchmark::ClobberMemory();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 24.0 * static_cast<double>(n) / seconds.count());
  }
  return best;
}

/// The arrays that the kernels work on: a batch of samples x elements, and vectors of one number a sample.
struct Batch {
  long samples, elements;
  at::Tensor state, mean, old_mean, pretrained, action, gradient, out, next;
  at::Tensor std, drift, cost, upstream, result;
  explicit Batch(const benchmark::State& s) : samples(s.range(0)), elements(s.range(1)) {
    torch::manual_seed(0);
    const auto random = [&] { return torch::randn({samples, elements}); };
    state = random(), mean = random(), gradient = random(), out = random(), next = random();
    old_mean = mean + 0.01 * random();
    pretrained = mean + 0.1 * random();
    action = mean + 0.3 * random();
    std = torch::rand({samples}, torch::kFloat64) + 0.1;
    drift = torch::rand({samples}, torch::kFloat64);
    cost = torch::rand({samples}, torch::kFloat64);
    upstream = torch::rand({samples}, torch::kFloat64);
    result = torch::zeros({samples}, torch::kFloat64);
  }
  double array() const { return 4.0 * static_cast<double>(samples * elements); }
  Rows<const float> in(const at::Tensor& t) const { return rows<const float>(t); }
};

void sizes(benchmark::internal::Benchmark* b) {
  b->Args({256, 64})->Args({256, 3072})->ArgNames({"samples", "elements"})->Unit(benchmark::kMicrosecond);
}
#define SCOREACT_PAIR(name)                                                                                  \
  BENCHMARK(name##_kernel)->Apply(sizes);                                                                    \
  BENCHMARK(name##_torch)->Apply(sizes)

const NoiseKey action_key{.seed = 1, .epoch = 0, .step = 3, .purpose = Purpose::action};
const NoiseKey brownian_key{.seed = 1, .epoch = 0, .step = 3, .purpose = Purpose::brownian};

void normal_noise_kernel(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    normal_noise({}, action_key, 0, rows<float>(b.out));
  }
  report(s, b.array());
}
void normal_noise_torch(benchmark::State& s) {
  Batch b(s);
  for (auto _ : s) {
    b.out.normal_();
  }
  report(s, b.array());
}
SCOREACT_PAIR(normal_noise);

void uniform_noise_kernel(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    uniform_noise({}, action_key, 0, rows<float>(b.out));
  }
  report(s, b.array());
}
void uniform_noise_torch(benchmark::State& s) {
  Batch b(s);
  for (auto _ : s) {
    b.out.uniform_();
  }
  report(s, b.array());
}
SCOREACT_PAIR(uniform_noise);

const StepCoefficients both_noises{.keep = 1.01, .push = 0.2, .carry = 0, .spread = 0.3, .action_std = 0.5};

void sampler_step_kernel(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    sampler_step({}, action_key, brownian_key, 0, both_noises, b.in(b.state), b.in(b.mean), {},
                 rows<float>(b.out), rows<float>(b.next), span<double>(b.result));
  }
  report(s, 4 * b.array());
}
void sampler_step_torch(benchmark::State& s) {
  const Batch b(s);
  const StepCoefficients& c = both_noises;
  const double d = static_cast<double>(b.elements);
  for (auto _ : s) {
    const at::Tensor eps = torch::randn_like(b.mean), z = torch::randn_like(b.mean);
    const at::Tensor action = torch::add(b.mean, eps, c.action_std);
    const at::Tensor next = torch::mul(b.state, c.keep).add_(action, c.push).add_(z, c.spread);
    const at::Tensor log_prob =
        (action - b.mean).square().sum(1, false, torch::kFloat64) * (-0.5 / (c.action_std * c.action_std)) -
        d * (std::log(c.action_std) + 0.9189385332046727);
    benchmark::DoNotOptimize(next.data_ptr());
    benchmark::DoNotOptimize(log_prob.data_ptr());
  }
  report(s, 4 * b.array());
}
SCOREACT_PAIR(sampler_step);

void gaussian_log_prob_kernel(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    gaussian_log_prob({}, b.in(b.action), b.in(b.mean), span<const double>(b.std), span<double>(b.result));
  }
  report(s, 2 * b.array());
}
void gaussian_log_prob_torch(benchmark::State& s) {
  const Batch b(s);
  const double d = static_cast<double>(b.elements);
  for (auto _ : s) {
    const at::Tensor r = (b.action - b.mean).square().sum(1, false, torch::kFloat64) / (-2 * b.std.square()) -
                         d * (b.std.log() + 0.9189385332046727);
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 2 * b.array());
}
SCOREACT_PAIR(gaussian_log_prob);

void gaussian_log_ratio_kernel(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    gaussian_log_ratio({}, b.in(b.action), b.in(b.mean), b.in(b.old_mean), span<const double>(b.std),
                       LogRatioReduction::sum, span<double>(b.result));
  }
  report(s, 3 * b.array());
}
void gaussian_log_ratio_torch(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    const at::Tensor r =
        ((b.action - b.old_mean).square() - (b.action - b.mean).square()).sum(1, false, torch::kFloat64) /
        (2 * b.std.square());
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 3 * b.array());
}
SCOREACT_PAIR(gaussian_log_ratio);

void gaussian_log_ratio_backward_kernel(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    gaussian_log_ratio_backward({}, b.in(b.action), b.in(b.mean), span<const double>(b.std),
                                LogRatioReduction::sum, span<const double>(b.upstream), rows<float>(b.out));
  }
  report(s, 3 * b.array());
}
void gaussian_log_ratio_backward_torch(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    const at::Tensor factor = (b.upstream / b.std.square()).to(torch::kFloat32).unsqueeze(1);
    const at::Tensor r = (b.action - b.mean).mul_(factor);
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 3 * b.array());
}
SCOREACT_PAIR(gaussian_log_ratio_backward);

void advantage_rate_kernel(benchmark::State& s) {
  const Batch b(s);
  const AdvantageTerms terms{span<const double>(b.drift), span<const double>(b.cost),
                             span<const double>(b.std), true};
  for (auto _ : s) {
    advantage_rate({}, b.in(b.action), b.in(b.mean), b.in(b.pretrained), b.in(b.gradient), terms,
                   span<double>(b.result));
  }
  report(s, 4 * b.array());
}
void advantage_rate_torch(benchmark::State& s) {
  const Batch b(s);
  const double d = static_cast<double>(b.elements);
  for (auto _ : s) {
    const at::Tensor away = b.action - b.mean;
    const at::Tensor first = (away * b.gradient).sum(1, false, torch::kFloat64);
    const at::Tensor second = ((b.action - b.pretrained).square() - (b.mean - b.pretrained).square())
                                  .sum(1, false, torch::kFloat64);
    const at::Tensor r = b.drift * first - b.cost * (second - d * b.std.square());
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 4 * b.array());
}
SCOREACT_PAIR(advantage_rate);

void advantage_rate_from_difference_kernel(benchmark::State& s) {
  const Batch b(s);
  const AdvantageTerms terms{{}, span<const double>(b.cost), span<const double>(b.std), true};
  for (auto _ : s) {
    advantage_rate_from_difference({}, b.in(b.action), b.in(b.mean), b.in(b.pretrained),
                                   span<const double>(b.drift), terms, span<double>(b.result));
  }
  report(s, 3 * b.array());
}
void advantage_rate_from_difference_torch(benchmark::State& s) {
  const Batch b(s);
  const double d = static_cast<double>(b.elements);
  for (auto _ : s) {
    const at::Tensor squares = ((b.action - b.pretrained).square() - (b.mean - b.pretrained).square())
                                   .sum(1, false, torch::kFloat64);
    const at::Tensor r = b.drift - b.cost * (squares - d * b.std.square());
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 3 * b.array());
}
SCOREACT_PAIR(advantage_rate_from_difference);

void path_kl_density_kernel(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    path_kl_density({}, b.in(b.mean), b.in(b.pretrained), span<const double>(b.cost), span<double>(b.result));
  }
  report(s, 2 * b.array());
}
void path_kl_density_torch(benchmark::State& s) {
  const Batch b(s);
  for (auto _ : s) {
    const at::Tensor r = b.cost * (b.mean - b.pretrained).square().sum(1, false, torch::kFloat64);
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 2 * b.array());
}
SCOREACT_PAIR(path_kl_density);

/// A run's small matrices: times x samples float64.
void time_sizes(benchmark::internal::Benchmark* b) {
  b->Args({50, 256})->Args({50, 16384})->ArgNames({"times", "samples"})->Unit(benchmark::kMicrosecond);
}
struct History {
  at::Tensor cost, weight, reward, returns, integral;
  double bytes;
  explicit History(const benchmark::State& s) {
    torch::manual_seed(0);
    const long times = s.range(0), samples = s.range(1);
    cost = torch::rand({times, samples}, torch::kFloat64);
    weight = torch::rand({times, samples}, torch::kFloat64);
    reward = torch::rand({samples}, torch::kFloat64);
    returns = torch::empty_like(cost);
    integral = torch::empty_like(reward);
    bytes = 8.0 * static_cast<double>(times * samples);
  }
};

void path_kl_integral_kernel(benchmark::State& s) {
  const History h(s);
  for (auto _ : s) {
    path_kl_integral({}, rows<const double>(h.cost), rows<const double>(h.weight), span<double>(h.integral));
  }
  report(s, 2 * h.bytes);
}
void path_kl_integral_torch(benchmark::State& s) {
  const History h(s);
  for (auto _ : s) {
    const at::Tensor r = (h.cost * h.weight).sum(0);
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 2 * h.bytes);
}
BENCHMARK(path_kl_integral_kernel)->Apply(time_sizes);
BENCHMARK(path_kl_integral_torch)->Apply(time_sizes);

void returns_kernel(benchmark::State& s) {
  const History h(s);
  for (auto _ : s) {
    returns_with_running_cost({}, rows<const double>(h.cost), span<const double>(h.reward),
                              rows<double>(h.returns));
  }
  report(s, 2 * h.bytes);
}
void returns_torch(benchmark::State& s) {
  const History h(s);
  for (auto _ : s) {
    const at::Tensor r = h.reward - h.cost.flip(0).cumsum(0).flip(0);
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, 2 * h.bytes);
}
BENCHMARK(returns_kernel)->Apply(time_sizes);
BENCHMARK(returns_torch)->Apply(time_sizes);

/// One number a row: rows of a minibatch, and of a whole epoch.
void row_sizes(benchmark::internal::Benchmark* b) {
  b->Arg(256)->Arg(16384)->ArgName("rows")->Unit(benchmark::kMicrosecond);
}
struct Vectors {
  long n;
  at::Tensor log_ratio, advantage, weight, derivative, value, group;
  explicit Vectors(const benchmark::State& s) : n(s.range(0)) {
    torch::manual_seed(0);
    log_ratio = 0.2 * torch::randn({n}, torch::kFloat64);
    advantage = torch::randn({n}, torch::kFloat64);
    weight = torch::rand({n}, torch::kFloat64);
    derivative = torch::empty_like(weight);
    value = torch::empty_like(weight);
    group = torch::randint(0, 32, {n}, torch::kInt32);
  }
};

void clipped_surrogate_kernel(benchmark::State& s) {
  const Vectors v(s);
  SurrogateSummary summary;
  for (auto _ : s) {
    clipped_surrogate({}, {std::log(0.8), std::log(1.2), 3072, false}, span<const double>(v.log_ratio),
                      span<const double>(v.advantage), span<const double>(v.weight),
                      span<double>(v.derivative), span<double>(v.value), &summary);
    benchmark::DoNotOptimize(summary.value);
  }
  report(s, 40.0 * static_cast<double>(v.n));
}
void clipped_surrogate_torch(benchmark::State& s) {
  const Vectors v(s);
  const double d = 3072;
  for (auto _ : s) {
    const torch::AutoGradMode with_gradients(true);
    at::Tensor log_ratio = v.log_ratio.detach().requires_grad_();
    const at::Tensor ratio = torch::exp(log_ratio / d);
    const at::Tensor clipped = ratio.clamp(std::exp(std::log(0.8) / d), std::exp(std::log(1.2) / d));
    const at::Tensor value = (v.weight * d * torch::min(ratio * v.advantage, clipped * v.advantage)).sum();
    const auto gradient = torch::autograd::grad({value}, {log_ratio});
    torch::NoGradGuard no_grad;
    const at::Tensor cut = (gradient[0] == 0).sum();
    const at::Tensor kl = log_ratio.square().sum().mul_(0.5);
    const at::Tensor deviation = (ratio - 1).abs().max();
    benchmark::DoNotOptimize(deviation.data_ptr());
  }
  report(s, 40.0 * static_cast<double>(v.n));
}
BENCHMARK(clipped_surrogate_kernel)->Apply(row_sizes);
BENCHMARK(clipped_surrogate_torch)->Apply(row_sizes);

void grouped_moments_kernel(benchmark::State& s) {
  const Vectors v(s);
  std::vector<Moments> moments(32);
  for (auto _ : s) {
    grouped_moments({}, span<const double>(v.advantage), span<const std::int32_t>(v.group),
                    {moments.data(), 32});
    benchmark::DoNotOptimize(moments[0].mean);
  }
  report(s, 12.0 * static_cast<double>(v.n));
}
void grouped_moments_torch(benchmark::State& s) {
  const Vectors v(s);
  const at::Tensor index = v.group.to(torch::kInt64);
  for (auto _ : s) {
    const at::Tensor zero = torch::zeros({32}, torch::kFloat64);
    const at::Tensor count = zero.index_add(0, index, torch::ones_like(v.advantage));
    const at::Tensor mean = zero.index_add(0, index, v.advantage) / count.clamp_min(1);
    const at::Tensor m2 = zero.index_add(0, index, (v.advantage - mean.index_select(0, index)).square());
    benchmark::DoNotOptimize(m2.data_ptr());
  }
  report(s, 12.0 * static_cast<double>(v.n));
}
BENCHMARK(grouped_moments_kernel)->Apply(row_sizes);
BENCHMARK(grouped_moments_torch)->Apply(row_sizes);

/// Parameters of a small and of a middling network.
void parameter_sizes(benchmark::internal::Benchmark* b) {
  b->Arg(1 << 14)->Arg(1 << 20)->Arg(1 << 23)->ArgName("parameters")->Unit(benchmark::kMicrosecond);
}
struct Parameters {
  long n;
  at::Tensor parameter, gradient, first, second, ema;
  explicit Parameters(const benchmark::State& s) : n(s.range(0)) {
    torch::manual_seed(0);
    parameter = torch::randn({n}), gradient = torch::randn({n});
    first = torch::zeros({n}), second = torch::zeros({n}), ema = parameter.clone();
  }
  double array() const { return 4.0 * static_cast<double>(n); }
};

void squared_norm_kernel(benchmark::State& s) {
  const Parameters p(s);
  double out = 0;
  for (auto _ : s) {
    squared_norm({}, span<const float>(p.gradient), &out);
    benchmark::DoNotOptimize(out);
  }
  report(s, p.array());
}
void squared_norm_torch(benchmark::State& s) {
  const Parameters p(s);
  for (auto _ : s) {
    const at::Tensor r = p.gradient.square().sum(torch::kFloat64);
    benchmark::DoNotOptimize(r.data_ptr());
  }
  report(s, p.array());
}
BENCHMARK(squared_norm_kernel)->Apply(parameter_sizes);
BENCHMARK(squared_norm_torch)->Apply(parameter_sizes);

const AdamWStep adamw_options{.learning_rate = 1e-4,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .epsilon = 1e-8,
                              .weight_decay = 0.01,
                              .step = 10,
                              .gradient_scale = 1,
                              .max_grad_norm = 1,
                              .ema_decay = 0.999};

void adamw_ema_kernel(benchmark::State& s) {
  const Parameters p(s);
  double norm = 0;
  for (auto _ : s) {
    squared_norm({}, span<const float>(p.gradient), &norm);
    adamw_ema({}, adamw_options, &norm, span<float>(p.parameter), span<const float>(p.gradient),
              span<float>(p.first), span<float>(p.second), span<float>(p.ema));
  }
  report(s, 10 * p.array());
}
/// The same in eager tensor operations on the flat arrays, in place.
void adamw_ema_torch(benchmark::State& s) {
  Parameters p(s);
  const AdamWStep& o = adamw_options;
  const double correction1 = 1 - std::pow(o.beta1, 10.0), correction2 = 1 - std::pow(o.beta2, 10.0);
  for (auto _ : s) {
    const at::Tensor limit = (o.max_grad_norm / (p.gradient.norm() + 1e-6)).clamp_max(1.0);
    const at::Tensor gradient = p.gradient * limit;
    p.parameter.mul_(1 - o.learning_rate * o.weight_decay);
    p.first.lerp_(gradient, 1 - o.beta1);
    p.second.mul_(o.beta2).addcmul_(gradient, gradient, 1 - o.beta2);
    const at::Tensor denominator = p.second.sqrt().div_(std::sqrt(correction2)).add_(o.epsilon);
    p.parameter.addcdiv_(p.first, denominator, -o.learning_rate / correction1);
    p.ema.lerp_(p.parameter, 1 - o.ema_decay);
  }
  report(s, 10 * p.array());
}
BENCHMARK(adamw_ema_kernel)->Apply(parameter_sizes);
BENCHMARK(adamw_ema_torch)->Apply(parameter_sizes);

} // namespace
} // namespace scoreact

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 64;
  }
  at::set_num_threads(1);
  const torch::NoGradGuard no_grad;
  const scoreact::kernels::Runtime runtime(1);
  scoreact::triad_bytes_per_second = scoreact::measure_triad();
  std::printf("%s\nSTREAM triad %.2f GB/s, one thread; LibTorch %s, one thread\n",
              scoreact::kernels::configuration().c_str(), scoreact::triad_bytes_per_second / 1e9,
              TORCH_VERSION);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
