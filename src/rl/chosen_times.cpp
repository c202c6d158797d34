#include "rl/chosen_times.hpp"

#include "kernels/normal_noise.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace scoreact {
namespace {

/// Fractional part of the golden ratio: multiples of it, modulo 1, fill the interval more evenly than random
/// numbers do (Kronecker's sequence).
constexpr double kGoldenRatio = 0.6180339887498949;

} // namespace

ChosenTimes choose_times(long steps, long num_times, double fraction, std::uint64_t seed, std::uint32_t epoch,
                         const Shard& shard, at::Device device) {
  const long drawn = num_times > 0 ? std::min(num_times, steps)
                                   : std::max(1L, std::lround(fraction * static_cast<double>(steps)));
  if (drawn == steps)
    return all_times(steps, shard.count, device);
  const long last = drawn > 1 ? std::max(1L, drawn / 5) : 0; // one time alone must be able to be any step
  at::Tensor step = at::empty({drawn, shard.count}, at::kLong);
  at::Tensor weight = at::empty({drawn, shard.count}, at::kDouble);
  auto step_at = step.accessor<std::int64_t, 2>();
  auto weight_at = weight.accessor<double, 2>();
  std::vector<double> shifts, uniforms(static_cast<std::size_t>(drawn));
  for (long k = 0; k < drawn; ++k)
    shifts.push_back(
        kernels::uniform_at({seed, epoch, 0, kernels::Purpose::time}, 0, static_cast<std::uint32_t>(k)));
  for (long sample = 0; sample < shard.count; ++sample) {
    const double turn = kGoldenRatio * static_cast<double>(shard.first + sample);
    for (std::size_t k = 0; k < uniforms.size(); ++k)
      uniforms[k] = shifts[k] + turn - std::floor(shifts[k] + turn);
    const StepSubset subset = stratified_subset(steps, drawn, last, uniforms);
    for (long k = 0; k < drawn; ++k) {
      step_at[k][sample] = subset.step[static_cast<std::size_t>(k)];
      weight_at[k][sample] = subset.weight[static_cast<std::size_t>(k)];
    }
  }
  return {step.to(device), weight.to(device)};
}

ChosenTimes all_times(long steps, long samples, at::Device device) {
  const auto options = at::TensorOptions(device);
  return {at::arange(steps, options.dtype(at::kLong)).unsqueeze(1).expand({steps, samples}).contiguous(),
          at::ones({steps, samples}, options.dtype(at::kDouble))};
}

ChosenTimes shared_times(const StepSubset& subset, long samples, at::Device device) {
  const auto for_all = [&](const auto& numbers, at::ScalarType type) {
    const at::Tensor column = at::tensor(numbers, at::dtype(type)).unsqueeze(1);
    return column.expand({column.size(0), samples}).to(device).contiguous();
  };
  const std::vector<std::int64_t> step(subset.step.begin(), subset.step.end());
  return {for_all(step, at::kLong), for_all(subset.weight, at::kDouble)};
}

} // namespace scoreact
