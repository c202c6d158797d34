#include "rl/chosen_rows.hpp"

#include "kernels/normal_noise.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact {

at::Tensor rows_of(const at::Tensor& time_by_sample, long first, long count) {
  return time_by_sample.narrow(1, first, count).flatten(0, 1);
}

at::Tensor per_step_rows(const std::vector<double>& per_step, long count, const at::Tensor& like) {
  const at::Tensor host = at::tensor(per_step, at::kDouble);
  return host.repeat_interleave(count).to(like.device());
}

ChosenRows chosen_rows(const Trajectories& batch, const Schedule& schedule, long first, long count) {
  const auto& chosen = batch.times.step;
  const auto gather = [&](const at::Tensor& all) {
    std::vector<at::Tensor> slices;
    for (const long k : chosen)
      slices.push_back(all[k].narrow(0, first, count));
    return at::cat(slices);
  };
  std::vector<std::pair<double, double>> tau_abar;
  std::vector<double> stds;
  for (const long k : chosen) {
    const Step& step = batch.table.steps[static_cast<std::size_t>(k)];
    tau_abar.emplace_back(step.tau, step.abar);
    stds.push_back(batch.actions[static_cast<std::size_t>(k)].action_std);
  }
  ChosenRows rows;
  rows.x = gather(batch.x);
  rows.action = gather(batch.action);
  rows.old_mean = gather(batch.mean);
  rows.prompt = batch.prompt.narrow(0, first, count).repeat({static_cast<long>(chosen.size())});
  rows.times = row_times(schedule, tau_abar, count, rows.x);
  rows.action_std = per_step_rows(stds, count, rows.x);
  return rows;
}

StepSubset choose_times(const StepTable& table, long num_times, double fraction, std::uint64_t seed,
                        std::uint32_t epoch) {
  const long all = table.size();
  const long drawn = num_times > 0 ? std::min(num_times, all)
                                   : std::max(1L, std::lround(fraction * static_cast<double>(all)));
  // one time alone must be able to be any step
  const long last = drawn < all && drawn > 1 ? std::max(1L, drawn / 5) : 0;
  std::vector<double> uniforms;
  for (long k = 0; k < drawn; ++k)
    uniforms.push_back(
        kernels::uniform_at({seed, epoch, 0, kernels::Purpose::time}, 0, static_cast<std::uint32_t>(k)));
  return stratified_subset(all, drawn, last, uniforms);
}

} // namespace scoreact
