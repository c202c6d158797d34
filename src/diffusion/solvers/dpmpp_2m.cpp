#include "diffusion/solvers/solvers.hpp"

#include <cmath>

namespace scoreact::solvers {

void dpmpp_2m(std::vector<Step>& steps, const SolverOptions& options) {
  for (std::size_t k = 0; k < steps.size(); ++k) {
    Step& step = steps[k];
    step.chi = 0;
    const double on_data = -std::sqrt(step.abar_next) * std::expm1(-log_snr_increment(step));
    const double correction = second_order_weight(steps, k, options);
    set_from_data_prediction(step, std::sqrt((1 - step.abar_next) / (1 - step.abar)),
                             on_data * (1 + correction), -on_data * correction);
  }
}

} // namespace scoreact::solvers
