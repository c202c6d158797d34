#include "rl/chosen_rows.hpp"

#include <torch/torch.h>

namespace scoreact {

namespace {

/// One number a step of the table, at the rows' steps.
at::Tensor look_up(const std::vector<double>& of_step, const at::Tensor& step) {
  return at::tensor(of_step, at::kDouble).to(step.device()).index({step});
}

} // namespace

at::Tensor rows_of(const at::Tensor& time_by_sample, long first, long count) {
  return time_by_sample.narrow(1, first, count).flatten(0, 1).contiguous(); // of one sample it is a view
}

at::Tensor step_numbers(const StepTable& table, const at::Tensor& step,
                        const std::function<double(const Step&)>& number) {
  std::vector<double> numbers;
  for (const Step& of_table : table.steps)
    numbers.push_back(number(of_table));
  return look_up(numbers, step);
}

ChosenRows chosen_rows(const Trajectories& batch, const Schedule& schedule, long first, long count) {
  ChosenRows rows;
  rows.step = rows_of(batch.times.step, first, count);
  rows.weight = rows_of(batch.times.weight, first, count);
  const at::Tensor sample =
      at::arange(first, first + count, rows.step.options()).repeat({batch.times.count()});
  rows.x = batch.x.index({rows.step, sample});
  rows.action = batch.action.index({rows.step, sample});
  rows.old_mean = batch.mean.index({rows.step, sample});
  rows.prompt = batch.prompt.index({sample});

  std::vector<std::pair<double, double>> tau_abar;
  std::vector<double> stds;
  for (const Step& step : batch.table.steps)
    tau_abar.emplace_back(step.tau, step.abar);
  for (const ActionStep& action : batch.actions)
    stds.push_back(action.action_std);
  const RowTimes all = row_times(schedule, tau_abar, 1, rows.x);
  const auto of_rows = [&](const at::Tensor& of_step) { return of_step.index({rows.step}); };
  rows.times = {of_rows(all.timestep), of_rows(all.alpha), of_rows(all.sigma), of_rows(all.tau)};
  rows.action_std = look_up(stds, rows.step);
  return rows;
}

} // namespace scoreact
