/// What a project that links scoreact does first: a solver's step table, and one keyed normal number.
#include "diffusion/schedule.hpp"
#include "diffusion/step.hpp"
#include "error/error.hpp"
#include "kernels/normal_noise.hpp"
#include "rl/score_policy.hpp"

#include <cmath>
#include <cstdio>

int main() {
  const auto schedule = scoreact::Schedule::linear(1000, 1e-4, 0.02);
  scoreact::GridOptions grid;
  grid.num_steps = 10;
  const auto table = scoreact::make_step_table(schedule, scoreact::make_grid(schedule, grid),
                                               {.solver = "ddim", .eta = 1.0});
  const double z = scoreact::kernels::normal_at({42, 0, 0, scoreact::kernels::Purpose::initial_state}, 0, 0);
  std::printf("%ld steps of %s, last spread %.6f, first normal number %.6f\n", table.size(),
              table.solver.c_str(), table.steps.back().spread, z);
  bool refused = false;
  try {
    scoreact::make_step_table(schedule, scoreact::make_grid(schedule, grid), {.solver = "none", .eta = 1.0});
  } catch (const scoreact::Error&) {
    refused = true;
  }
  return table.size() == 10 && table.steps.back().spread > 0 && std::isfinite(z) && z != 0 && refused ? 0 : 1;
}
