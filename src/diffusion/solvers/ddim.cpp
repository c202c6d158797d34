#include "diffusion/solvers/solvers.hpp"

#include <algorithm>
#include <cmath>

namespace scoreact::solvers {

void ddim(std::vector<Step>& steps, const SolverOptions& options) {
  for (Step& step : steps) {
    const double sigma_squared = 1 - step.abar, sigma_squared_next = 1 - step.abar_next;
    const double variance =
        options.eta * options.eta * sigma_squared_next / sigma_squared * (1 - step.abar / step.abar_next);
    // What is left of the noise level points along eps; at eta = 1 it may fall below 0 by rounding.
    const double along_epsilon = std::sqrt(std::max(0.0, sigma_squared_next - variance));
    step.chi = options.eta;
    step.keep = std::sqrt(step.abar_next / step.abar);
    step.push = step.keep * sigma_squared - along_epsilon * std::sqrt(sigma_squared);
    step.spread = std::sqrt(variance);
  }
}

} // namespace scoreact::solvers
