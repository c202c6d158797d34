#pragma once
/// Score as action (paper eq. 11 and 13): in both families a Gaussian over scores, a ~ N(mean, s_a^2 I),
/// enters the solver step in the place of the score:
///     next = keep x + push a + carry x0hat_prev + brownian z.
///  * score:      s_a is chosen (exploration), the Brownian increment of the step is drawn beside it.
///  * transition: the step's own noise is the exploration: s_a = spread / |push| and no further noise (as
///                in DDPO and in the released code).
/// Log-probabilities, ratios and KLs are those of this one Gaussian (docs/mathematics.md section 3).
#include "diffusion/step.hpp"
#include "rl/rl_options.hpp"

#include <vector>

namespace scoreact {

struct ActionStep {
  double action_std = 0; ///< s_a in score units; 0: deterministic step, no ratio
  double brownian = 0;   ///< standard deviation of the step's remaining noise
};

/// One entry a step of the table. Throws Error{data} for action = transition with a two-stage solver.
std::vector<ActionStep> action_steps(const StepTable&, const std::string& action, const ExplorationOptions&);

/// Factor of a . grad V in q dt: 1/2 (1 + chi^2) int g^2 dtau over the step (docs/mathematics.md section 5).
double drift_weight(const Step&);

} // namespace scoreact
