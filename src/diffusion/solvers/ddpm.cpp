#include "diffusion/solvers/solvers.hpp"

#include <cmath>

namespace scoreact::solvers {

void ddpm(std::vector<Step>& steps, const SolverOptions&) {
  for (Step& step : steps) {
    const double step_alpha = step.abar / step.abar_next, step_beta = 1 - step_alpha;
    const double sigma_squared = 1 - step.abar, sigma_squared_next = 1 - step.abar_next;
    step.chi = 1;
    // Posterior mean sqrt(abar') beta / sigma^2 x0hat + sqrt(alpha) sigma'^2 / sigma^2 x, variance
    // "fixed_small".
    set_from_data_prediction(step, std::sqrt(step_alpha) * sigma_squared_next / sigma_squared,
                             std::sqrt(step.abar_next) * step_beta / sigma_squared, 0);
    step.spread = std::sqrt(sigma_squared_next / sigma_squared * step_beta);
  }
}

} // namespace scoreact::solvers
