#include "diffusion/solvers/solvers.hpp"

namespace scoreact::solvers {

void heun_sde(std::vector<Step>& steps, const SolverOptions& options) {
  euler_maruyama(steps, options);
  for (Step& step : steps) {
    if (step.abar_next >= 1)
      continue; // no score at the data: the last step stays an Euler step
    // next = x + G/4 (x + predicted) + push/2 (s_1 + s_2) + spread z, with the predicted state written out
    const double quarter = 0.25 * step.g_squared_dt;
    step.predict_keep = step.keep;
    step.predict_push = step.push;
    step.predict_spread = step.spread;
    step.keep = 1 + quarter + quarter * step.predict_keep;
    step.push = 0.5 * step.predict_push + quarter * step.predict_push;
    step.push_second = 0.5 * step.predict_push;
    step.spread = (1 + quarter) * step.predict_spread;
  }
}

} // namespace scoreact::solvers
