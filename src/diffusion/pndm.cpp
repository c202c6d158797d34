#include "diffusion/pndm.hpp"

#include "diffusion/grid.hpp"
#include "error/error.hpp"

#include <cmath>

namespace scoreact {
namespace {

/// Adams-Bashforth weights of the newest `count` outputs.
std::vector<double> multistep_weights(long count) {
  switch (count) {
  case 1:
    return {1.0};
  case 2:
    return {3.0 / 2, -1.0 / 2};
  case 3:
    return {23.0 / 12, -16.0 / 12, 5.0 / 12};
  default:
    return {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24};
  }
}

/// Formula (9): from noise level abar to abar_next.
void set_transfer(PndmStep& step, double abar, double abar_next) {
  step.abar_from = abar;
  step.keep = std::sqrt(abar_next / abar);
  step.push =
      -(abar_next - abar) / (abar * std::sqrt(1 - abar_next) + std::sqrt(abar * (1 - abar) * abar_next));
}

} // namespace

std::vector<PndmStep> pndm_steps(const Schedule& schedule, long num_steps, long steps_offset,
                                 bool end_at_data) {
  const long size = schedule.size();
  const std::vector<long> times = index_timesteps("leading", size, num_steps, steps_offset);
  const long stride = size / num_steps;
  const double last = end_at_data ? 1.0 : schedule.abar_at_index(0);
  const auto abar_at = [&](long timestep) { return timestep < 0 ? last : schedule.abar_at_index(timestep); };
  std::vector<PndmStep> steps;
  long remembered = 0;
  for (long k = 0; k < num_steps; ++k) {
    const long timestep = times[static_cast<std::size_t>(k)];
    PndmStep step;
    step.timestep = timestep;
    step.abar = schedule.abar_at_index(timestep);
    if (k == 1) { // the step before again, with the mean of the outputs at both of its ends
      PndmStep refined = step;
      refined.weight = {0.5, 0.5};
      refined.remembers = false;
      refined.from_first = true;
      SCOREACT_REQUIRE(timestep + stride < size, ExitCode::data,
                       "pndm: {} steps with steps_offset {} leave the schedule's {} times", num_steps,
                       steps_offset, size);
      set_transfer(refined, abar_at(timestep + stride), step.abar);
      steps.push_back(refined);
    }
    step.weight = multistep_weights(++remembered);
    set_transfer(step, step.abar, abar_at(timestep - stride));
    steps.push_back(step);
  }
  return steps;
}

} // namespace scoreact
