#include "diffusion/solvers/solvers.hpp"

#include <cmath>
#include <limits>

namespace scoreact::solvers {

void set_from_data_prediction(Step& step, double on_state, double on_x0, double on_previous) {
  const double alpha = std::sqrt(step.abar);
  step.keep = on_state + on_x0 / alpha;
  step.push = on_x0 * (1 - step.abar) / alpha;
  step.carry = on_previous;
}

double log_snr_increment(const Step& step) {
  if (step.abar_next >= 1)
    return std::numeric_limits<double>::infinity();
  const auto log_snr = [](double abar) { return 0.5 * std::log(abar / (1 - abar)); };
  return log_snr(step.abar_next) - log_snr(step.abar);
}

double second_order_weight(const std::vector<Step>& steps, std::size_t k, const SolverOptions& options) {
  const bool last = k + 1 == steps.size(), few_steps = steps.size() < 15;
  if (k == 0 || steps[k].abar_next >= 1 || (last && options.lower_order_final && few_steps))
    return 0;
  return 0.5 * log_snr_increment(steps[k]) / log_snr_increment(steps[k - 1]);
}

} // namespace scoreact::solvers
