#include "diffusion/grid.hpp"

#include "diffusion/step.hpp"
#include "error/error.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/ranges.h>

namespace scoreact {

namespace {

bool is_index_spacing(const std::string& kind) {
  return kind == "leading" || kind == "trailing" || kind == "linspace";
}

/// Noise time of node k of a continuous grid whose `last` node (k = last) stands at tau = 1/N.
double continuous_node(const Schedule& schedule, const GridOptions& options, long k, long last) {
  const double first_tau = 1, last_tau = schedule.tau_of_index(0);
  if (k == 0)
    return first_tau;
  if (k == last)
    return last_tau;
  const double share = static_cast<double>(k) / static_cast<double>(last);
  const auto blend = [share](double from, double to) { return from + share * (to - from); };
  if (options.kind == "uniform")
    return blend(first_tau, last_tau);
  if (options.kind == "quadratic")
    return std::pow(blend(std::sqrt(first_tau), std::sqrt(last_tau)), 2);
  const double noisiest = schedule.log_snr(first_tau), cleanest = schedule.log_snr(last_tau);
  if (options.kind == "log_snr")
    return schedule.tau_of_log_snr(blend(noisiest, cleanest));
  // karras: EDM's sigma = sqrt(1 - abar) / sqrt(abar) = exp(-lambda), Karras et al. 2022 eq. 5
  const double root = blend(std::exp(-noisiest / options.rho), std::exp(-cleanest / options.rho));
  return schedule.tau_of_log_snr(-options.rho * std::log(root));
}

std::vector<double> continuous_nodes(const Schedule& schedule, const GridOptions& options) {
  std::vector<double> tau;
  // K evaluations: the node at tau = 1/N is the last evaluation when the grid goes on to the data, else the
  // end.
  const long last = options.end_at_data ? options.num_steps - 1 : options.num_steps;
  for (long k = 0; k <= last; ++k)
    tau.push_back(continuous_node(schedule, options, k, last));
  if (options.end_at_data)
    tau.push_back(0);
  return tau;
}

std::vector<double> stratified_nodes(const Schedule& schedule, const GridOptions& options) {
  SCOREACT_REQUIRE(static_cast<long>(options.cell_uniforms.size()) == options.num_steps, ExitCode::data,
                   "grid stratified: expected one uniform number a cell, {} of them, found {}",
                   options.num_steps, options.cell_uniforms.size());
  std::vector<double> tau;
  const double width = (1 - schedule.tau_of_index(0)) / static_cast<double>(options.num_steps);
  for (long k = 0; k < options.num_steps; ++k) {
    const double u = options.cell_uniforms[static_cast<std::size_t>(k)];
    SCOREACT_REQUIRE(u >= 0 && u < 1, ExitCode::data, "grid stratified: numbers must lie in [0, 1), found {}",
                     u);
    tau.push_back(1 - width * (static_cast<double>(k) + u));
  }
  tau.push_back(options.end_at_data ? 0 : schedule.tau_of_index(0));
  return tau;
}

void require_progress(const Grid& grid) {
  for (std::size_t k = 0; k + 1 < grid.tau.size(); ++k) {
    SCOREACT_REQUIRE(
        grid.tau[k + 1] < grid.tau[k] && grid.abar[k + 1] > grid.abar[k], ExitCode::data,
        "grid {}: step {} of {} would go from tau = {} to {} and remove no noise; use fewer steps", grid.kind,
        k, grid.tau.size() - 1, grid.tau[k], grid.tau[k + 1]);
  }
}

} // namespace

std::vector<std::string> grid_names() {
  return {"leading", "trailing", "linspace", "uniform", "quadratic", "log_snr", "karras", "stratified"};
}

std::vector<long> index_timesteps(const std::string& spacing, long num_train_timesteps, long num_steps,
                                  long steps_offset) {
  SCOREACT_REQUIRE(num_steps >= 1 && num_steps <= num_train_timesteps, ExitCode::data,
                   "grid {}: num_steps must lie in 1..{} (the schedule's times), found {}", spacing,
                   num_train_timesteps, num_steps);
  const auto total = static_cast<double>(num_train_timesteps), count = static_cast<double>(num_steps);
  std::vector<long> timesteps;
  for (long k = 0; k < num_steps; ++k) {
    const auto from_data = static_cast<double>(num_steps - 1 - k);
    if (spacing == "leading") {
      timesteps.push_back((num_steps - 1 - k) * (num_train_timesteps / num_steps) + steps_offset);
    } else if (spacing == "trailing") {
      // numpy's arange, which adds multiples of the rounded difference of its first two numbers, and for 62
      // values of num_steps (61, 103, ...) has one number too many, -1; nearbyint rounds half to even as
      // numpy does
      const double difference = (total - total / count) - total;
      timesteps.push_back(static_cast<long>(std::nearbyint(total + static_cast<double>(k) * difference)) - 1);
    } else if (spacing == "linspace") {
      const double stride = num_steps > 1 ? (total - 1) / (count - 1) : 0;
      timesteps.push_back(static_cast<long>(std::nearbyint(from_data * stride)));
    } else {
      SCOREACT_FAIL(ExitCode::data, "grid: expected leading, trailing or linspace, found '{}'", spacing);
    }
  }
  SCOREACT_REQUIRE(timesteps.front() < num_train_timesteps && timesteps.back() >= 0, ExitCode::data,
                   "grid {}: {} steps with steps_offset {} reach training times {}..{}, outside 0..{}",
                   spacing, num_steps, steps_offset, timesteps.back(), timesteps.front(),
                   num_train_timesteps - 1);
  return timesteps;
}

std::vector<long> scheduler_timesteps(const std::string& solver, const std::string& spacing,
                                      long num_train_timesteps, long num_steps, long steps_offset) {
  if (!solver.starts_with("dpmpp") || spacing == "trailing")
    return index_timesteps(spacing, num_train_timesteps, num_steps, steps_offset);
  SCOREACT_REQUIRE(num_steps < num_train_timesteps, ExitCode::data,
                   "{}: num_steps must lie in 1..{} (the schedule's times less one), found {}", solver,
                   num_train_timesteps - 1, num_steps);
  std::vector<long> timesteps = index_timesteps(spacing, num_train_timesteps, num_steps + 1, steps_offset);
  timesteps.pop_back();
  return timesteps;
}

Grid grid_from_timesteps(const Schedule& schedule, const std::vector<long>& timesteps, bool end_at_data) {
  SCOREACT_REQUIRE(!timesteps.empty(), ExitCode::data, "grid: the list of timesteps is empty");
  Grid grid;
  grid.kind = "timesteps";
  for (const long i : timesteps) {
    grid.tau.push_back(schedule.tau_of_index(static_cast<double>(i)));
    grid.abar.push_back(schedule.abar_at_index(i));
  }
  const bool to_data = end_at_data || timesteps.back() == 0;
  grid.tau.push_back(to_data ? 0 : schedule.tau_of_index(0));
  grid.abar.push_back(to_data ? 1 : schedule.abar_at_index(0));
  require_progress(grid);
  return grid;
}

Grid make_grid(const Schedule& schedule, const GridOptions& options) {
  const std::vector<std::string> names = grid_names();
  SCOREACT_REQUIRE(std::find(names.begin(), names.end(), options.kind) != names.end(), ExitCode::data,
                   "grid: expected one of {}, found '{}'", fmt::join(names, ", "), options.kind);
  SCOREACT_REQUIRE(options.num_steps >= 1 && options.num_steps <= schedule.size(), ExitCode::data,
                   "grid {}: num_steps must lie in 1..{} (the schedule's times), found {}", options.kind,
                   schedule.size(), options.num_steps);
  SCOREACT_REQUIRE(options.rho > 0, ExitCode::data, "grid karras: rho must be positive, found {}",
                   options.rho);
  Grid grid;
  if (is_index_spacing(options.kind)) {
    grid = grid_from_timesteps(
        schedule, index_timesteps(options.kind, schedule.size(), options.num_steps, options.steps_offset),
        options.end_at_data);
    grid.kind = options.kind;
    return grid;
  }
  grid.kind = options.kind;
  grid.tau = options.kind == "stratified" ? stratified_nodes(schedule, options)
                                          : continuous_nodes(schedule, options);
  for (const double tau : grid.tau)
    grid.abar.push_back(schedule.abar(tau));
  require_progress(grid);
  return grid;
}

StepSubset stratified_subset(long num_steps, long num_drawn, long always_last,
                             const std::vector<double>& uniforms) {
  SCOREACT_REQUIRE(num_drawn >= 1 && num_drawn <= num_steps, ExitCode::data,
                   "step subset: expected 1 to {} of the steps, found {}", num_steps, num_drawn);
  SCOREACT_REQUIRE(always_last >= 0 && always_last <= num_drawn &&
                       (always_last < num_drawn || num_drawn == num_steps),
                   ExitCode::data,
                   "step subset: {} of {} drawn steps cannot always be the last ones; the other steps need "
                   "at least one draw",
                   always_last, num_drawn);
  SCOREACT_REQUIRE(static_cast<long>(uniforms.size()) == num_drawn, ExitCode::data,
                   "step subset: expected {} uniform numbers, found {}", num_drawn, uniforms.size());
  StepSubset subset;
  const long strata = num_drawn - always_last, free_steps = num_steps - always_last;
  for (long k = 0; k < strata; ++k) {
    const long begin = k * free_steps / strata, size = (k + 1) * free_steps / strata - begin;
    const double u = uniforms[static_cast<std::size_t>(k)];
    SCOREACT_REQUIRE(u >= 0 && u < 1, ExitCode::data, "step subset: numbers must lie in [0, 1), found {}", u);
    // u < 1 may still round to the stratum's end when multiplied
    subset.step.push_back(begin + std::min(static_cast<long>(u * static_cast<double>(size)), size - 1));
    subset.weight.push_back(static_cast<double>(size));
  }
  for (long step = free_steps; step < num_steps; ++step) {
    subset.step.push_back(step);
    subset.weight.push_back(1);
  }
  return subset;
}

} // namespace scoreact
