#include "rl/action.hpp"

#include "error/error.hpp"

#include <cmath>

namespace scoreact {

std::vector<ActionStep> action_steps(const StepTable& table, const std::string& action,
                                     const ExplorationOptions& exploration) {
  SCOREACT_REQUIRE(
      !(action == "transition" && table.two_stage()), ExitCode::data,
      "algorithm.action = \"transition\": the transition of solver {} is not Gaussian in one score; use "
      "algorithm.action = \"score\"",
      table.solver);
  std::vector<ActionStep> steps;
  for (const Step& step : table.steps) {
    if (action == "transition") {
      steps.push_back({step.push != 0 ? step.spread / std::abs(step.push) : 0.0, 0.0});
    } else {
      steps.push_back({exploration.constant * std::pow(step.sigma(), exploration.power), step.spread});
    }
  }
  return steps;
}

double drift_weight(const Step& step) { return 0.5 * (1.0 + step.chi * step.chi) * step.g_squared_dt; }

} // namespace scoreact
