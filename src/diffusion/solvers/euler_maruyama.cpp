#include "diffusion/solvers/solvers.hpp"

#include <cmath>

namespace scoreact::solvers {

void euler_maruyama(std::vector<Step>& steps, const SolverOptions& options) {
  const double chi = options.eta;
  for (Step& step : steps) {
    const double g_squared_dt = step.g_squared_dt; // exact over the step, not g^2(tau) dtau
    step.chi = chi;
    step.keep = 1 + 0.5 * g_squared_dt;
    step.push = 0.5 * (1 + chi * chi) * g_squared_dt;
    step.spread = chi * std::sqrt(g_squared_dt);
  }
}

} // namespace scoreact::solvers
