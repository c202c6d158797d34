#include "evaluation/scheduler_steps.hpp"

#include <cmath>
#include <utility>

namespace scoreact {
namespace {

/// diffusers' DDIMScheduler ends the step from t at t - N / steps (whole numbers), where the next one begins
/// only if the spacing is "leading".
StepTable ddim_scheduler_table(const SchedulerConfig& scheduler, const std::vector<long>& times, double eta) {
  const Schedule& schedule = scheduler.schedule;
  const long stride = schedule.size() / static_cast<long>(times.size());
  const auto node = [&](long t) {
    return std::pair{schedule.tau_of_index(static_cast<double>(t)), schedule.abar_at_index(t)};
  };
  const auto last = scheduler.set_alpha_to_one.value_or(true) ? std::pair{0.0, 1.0} : node(0);
  StepTable table{"ddim", eta, {}};
  for (const long t : times) {
    const auto [tau, abar] = node(t);
    const auto [tau_end, abar_end] = t < stride ? last : node(t - stride);
    const Grid one_step{"timesteps", {tau, tau_end}, {abar, abar_end}};
    table.steps.push_back(make_step_table(schedule, one_step, {"ddim", eta}).steps.front());
  }
  return table;
}

} // namespace

StepTable scheduler_step_table(const SchedulerConfig& scheduler, const SampleOptions& sample) {
  require_computed(scheduler, sample.solver);
  const bool dpmpp = sample.solver.starts_with("dpmpp");
  const std::string spacing = !scheduler.timestep_spacing.empty() ? scheduler.timestep_spacing
                              : dpmpp                             ? "linspace"
                                                                  : "leading";
  const std::vector<long> times = scheduler_timesteps(sample.solver, spacing, scheduler.schedule.size(),
                                                      sample.num_steps, scheduler.steps_offset);
  if (sample.solver == "ddim")
    return ddim_scheduler_table(scheduler, times, sample.eta);
  const bool end_at_data = dpmpp ? !scheduler.end_at_sigma_min
                                 : sample.solver == "ddpm" || scheduler.set_alpha_to_one.value_or(true);
  const Grid grid = grid_from_timesteps(scheduler.schedule, times, end_at_data);
  const SolverOptions solver{sample.solver, sample.eta, scheduler.lower_order_final};
  StepTable table = make_step_table(scheduler.schedule, grid, solver);
  if (dpmpp && scheduler.euler_at_final) { // a first step is of first order
    const Grid last{grid.kind, {grid.tau.end() - 2, grid.tau.end()}, {grid.abar.end() - 2, grid.abar.end()}};
    table.steps.back() = make_step_table(scheduler.schedule, last, solver).steps.front();
  }
  if (sample.solver == "ddpm" && scheduler.large_variance)
    for (Step& step : table.steps) // for drawing only: the columns of the divergences stay as they were
      step.spread = std::sqrt(1 - step.abar / step.abar_next);
  if (sample.solver == "ddpm" && times.back() == 0)
    table.steps.back().spread = 0; // where diffusers adds no noise
  return table;
}

std::vector<PndmStep> scheduler_pndm_steps(const SchedulerConfig& scheduler, long num_steps) {
  require_computed(scheduler, kPndm);
  const std::string spacing = scheduler.timestep_spacing.empty() ? "leading" : scheduler.timestep_spacing;
  return pndm_steps(scheduler.schedule, spacing, num_steps, scheduler.steps_offset,
                    scheduler.set_alpha_to_one.value_or(false), scheduler.skip_prk_steps);
}

} // namespace scoreact
