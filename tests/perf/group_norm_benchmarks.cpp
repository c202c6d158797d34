// The group norm of the networks beside eager LibTorch; a part of bench_kernels (kernel_benchmarks.cpp).
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "bridge/bridge.hpp"
#include "kernels/group_norm_silu.hpp"
#include "triad.hpp"

namespace scoreact {
namespace {

using namespace kernels;
using bridge::span;

/// Feature maps of the digit network (16 and 48 channels of 8 x 8) and of CIFAR's (128 of 32 x 32), 8 groups,
/// in memory [rows, channels, pixels], or [rows, pixels, channels] (last).
void map_sizes(benchmark::internal::Benchmark* b) {
  b->Args({256, 16, 64, 0})
      ->Args({256, 48, 64, 0})
      ->Args({16, 128, 1024, 0})
      ->Args({256, 16, 64, 1})
      ->Args({256, 48, 64, 1})
      ->Args({16, 128, 1024, 1})
      ->ArgNames({"rows", "channels", "pixels", "last"})
      ->Unit(benchmark::kMicrosecond);
}
struct FeatureMap {
  long rows, channels, pixels, groups = 8;
  bool channels_last;
  at::Tensor x, shift, weight, bias, dy, y, mean, scale, dx, dshift, dweight, dbias;
  explicit FeatureMap(const benchmark::State& s)
      : rows(s.range(0)), channels(s.range(1)), pixels(s.range(2)), channels_last(s.range(3) == 1) {
    torch::manual_seed(0);
    x = torch::randn({rows, channels, pixels}), dy = torch::randn_like(x);
    y = torch::empty_like(x), dx = torch::empty_like(x);
    shift = torch::randn({rows, channels}), weight = torch::rand({channels}), bias = torch::rand({channels});
    mean = torch::empty({rows, groups}), scale = torch::empty_like(mean);
    dshift = torch::empty_like(shift), dweight = torch::empty_like(shift), dbias = torch::empty_like(shift);
  }
  GroupNormInput input() const {
    return {{rows, channels, pixels, groups, channels_last},
            1e-5F,
            bridge::rows<const float>(x),
            bridge::rows<const float>(shift),
            span<const float>(weight),
            span<const float>(bias)};
  }
  /// The same memory as LibTorch's [rows, channels, height, 1].
  at::Tensor image(const at::Tensor& values) const {
    return channels_last ? values.view({rows, pixels, 1, channels}).permute({0, 3, 1, 2})
                         : values.view({rows, channels, pixels, 1});
  }
  double array() const { return 4.0 * static_cast<double>(rows * channels * pixels); }
};

void group_norm_silu_kernel(benchmark::State& s) {
  const FeatureMap m(s);
  for (auto _ : s) {
    group_norm_silu({}, m.input(), bridge::rows<float>(m.y), bridge::rows<float>(m.mean),
                    bridge::rows<float>(m.scale));
  }
  report(s, 2 * m.array());
}
void group_norm_silu_torch(benchmark::State& s) {
  const FeatureMap m(s);
  for (auto _ : s) {
    const at::Tensor y = at::silu(at::group_norm(m.image(m.x) + m.shift.view({m.rows, m.channels, 1, 1}),
                                                 m.groups, m.weight, m.bias, 1e-5));
    benchmark::DoNotOptimize(y.data_ptr());
  }
  report(s, 2 * m.array());
}
/// Forward and backward on both sides: LibTorch's graph has to be made anew for each derivative.
void group_norm_silu_backward_kernel(benchmark::State& s) {
  const FeatureMap m(s);
  for (auto _ : s) {
    group_norm_silu({}, m.input(), bridge::rows<float>(m.y), bridge::rows<float>(m.mean),
                    bridge::rows<float>(m.scale));
    group_norm_silu_backward({}, m.input(), bridge::rows<const float>(m.mean),
                             bridge::rows<const float>(m.scale), bridge::rows<const float>(m.dy),
                             bridge::rows<float>(m.dx), bridge::rows<float>(m.dshift),
                             bridge::rows<float>(m.dweight), bridge::rows<float>(m.dbias));
    benchmark::DoNotOptimize(m.dweight.sum(0).data_ptr());
    benchmark::DoNotOptimize(m.dbias.sum(0).data_ptr());
  }
  report(s, 5 * m.array());
}
void group_norm_silu_backward_torch(benchmark::State& s) {
  const FeatureMap m(s);
  for (auto _ : s) {
    const torch::AutoGradMode with_gradients(true);
    const auto leaf = [](const at::Tensor& values) { return values.detach().requires_grad_(); };
    const at::Tensor x = leaf(m.image(m.x)), shift = leaf(m.shift), weight = leaf(m.weight),
                     bias = leaf(m.bias);
    const at::Tensor y =
        at::silu(at::group_norm(x + shift.view({m.rows, m.channels, 1, 1}), m.groups, weight, bias, 1e-5));
    const auto gradients = torch::autograd::grad({y}, {x, shift, weight, bias}, {m.image(m.dy)});
    benchmark::DoNotOptimize(gradients[0].data_ptr());
  }
  report(s, 5 * m.array());
}
BENCHMARK(group_norm_silu_kernel)->Apply(map_sizes);
BENCHMARK(group_norm_silu_torch)->Apply(map_sizes);
BENCHMARK(group_norm_silu_backward_kernel)->Apply(map_sizes);
BENCHMARK(group_norm_silu_backward_torch)->Apply(map_sizes);

} // namespace
} // namespace scoreact
