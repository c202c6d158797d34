#include "diffusion/step.hpp"

#include "diffusion/solvers/solvers.hpp"
#include "error/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/ranges.h>
#include <limits>

namespace scoreact {

namespace {

struct Solver {
  const char* name;
  void (*fill)(std::vector<Step>&, const SolverOptions&);
};

constexpr std::array registry = {
    Solver{"ddim", solvers::ddim},
    Solver{"ddpm", solvers::ddpm},
    Solver{"euler_maruyama", solvers::euler_maruyama},
    Solver{"heun_sde", solvers::heun_sde},
    Solver{"dpmpp_2m", solvers::dpmpp_2m},
    Solver{"dpmpp_2m_sde", solvers::dpmpp_2m_sde},
};

void require_grid_of(const Schedule& schedule, const Grid& grid) {
  SCOREACT_REQUIRE(grid.tau.size() >= 2 && grid.tau.size() == grid.abar.size(), ExitCode::data,
                   "solver: a grid needs at least 2 nodes and as many abar, found {} and {}", grid.tau.size(),
                   grid.abar.size());
  for (std::size_t k = 0; k < grid.tau.size(); ++k) {
    const double expected = schedule.abar(grid.tau[k]);
    SCOREACT_REQUIRE(std::abs(grid.abar[k] - expected) <= 1e-9 * expected, ExitCode::data,
                     "solver: node {} of grid {} has abar = {}, the schedule has {} at tau = {}", k,
                     grid.kind, grid.abar[k], expected, grid.tau[k]);
    SCOREACT_REQUIRE(k == 0 || grid.abar[k] >= grid.abar[k - 1], ExitCode::data,
                     "solver: step {} of grid {} adds noise (abar {} to {})", k - 1, grid.kind,
                     grid.abar[k - 1], grid.abar[k]);
  }
}

/// docs/mathematics.md section 4: the path KL of the SDE that the step discretises, and the exact KL of the
/// transition.
void fill_divergences(Step& step) {
  constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
  const double ratio = (1 + step.chi * step.chi) / (2 * step.chi);
  step.girsanov = step.chi > 0 ? 0.5 * ratio * ratio * step.g_squared_dt : undefined;
  const bool one_gaussian_transition = step.spread > 0 && step.carry == 0 && step.push_second == 0;
  step.chain = one_gaussian_transition ? step.push * step.push / (2 * step.spread * step.spread) : undefined;
}

} // namespace

double Step::sigma() const { return std::sqrt(1 - abar); }
double Step::alpha() const { return std::sqrt(abar); }

bool StepTable::two_stage() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) { return step.push_second != 0; });
}
bool StepTable::multistep() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) { return step.carry != 0; });
}
bool StepTable::stochastic() const {
  return std::all_of(steps.begin(), steps.end(), [](const Step& step) { return step.chi > 0; });
}

std::vector<std::string> solver_names() {
  std::vector<std::string> names;
  for (const Solver& solver : registry)
    names.emplace_back(solver.name);
  return names;
}

StepTable make_step_table(const Schedule& schedule, const Grid& grid, const SolverOptions& options) {
  const auto solver = std::find_if(registry.begin(), registry.end(), [&options](const Solver& candidate) {
    return options.solver == candidate.name;
  });
  SCOREACT_REQUIRE(solver != registry.end(), ExitCode::data, "solver: expected one of {}, found '{}'",
                   fmt::join(solver_names(), ", "), options.solver);
  SCOREACT_REQUIRE(options.eta >= 0 && options.eta <= 1, ExitCode::data,
                   "eta: expected a number in [0, 1], found {}", options.eta);
  require_grid_of(schedule, grid);
  StepTable table{options.solver, options.eta, std::vector<Step>(grid.tau.size() - 1)};
  for (std::size_t k = 0; k < table.steps.size(); ++k) {
    Step& step = table.steps[k];
    step.tau = grid.tau[k];
    step.tau_next = grid.tau[k + 1];
    step.abar = grid.abar[k];
    step.abar_next = grid.abar[k + 1];
    step.g_squared_dt = std::log(step.abar_next / step.abar);
  }
  solver->fill(table.steps, options);
  for (Step& step : table.steps)
    fill_divergences(step);
  return table;
}

} // namespace scoreact
