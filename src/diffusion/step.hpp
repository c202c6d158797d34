#pragma once
/// The one table that carries every sampler. A solver step is affine in the state, the score and the noise,
///
///     next = keep * state + push * score + carry * previous_x0hat + spread * z,
///
/// with float64 scalars that come from the schedule alone. Transition means, variances, log-probabilities,
/// ratios, path KL and chain KL all follow from these columns; a solver is a function that fills them
/// (docs/mathematics.md section 2).
#include "diffusion/grid.hpp"

#include <string>
#include <vector>

namespace scoreact {

struct Step {
  double tau = 0, tau_next = 0; ///< noise time of the network call, and where the step ends
  double abar = 1, abar_next = 1;
  double keep = 1, push = 0, carry = 0, spread = 0;
  /// Second stage of a two-stage solver (stochastic Heun): next += push_second * score(tau_next, predicted
  /// next), where the predicted next state is predict_keep * state + predict_push * score + predict_spread *
  /// z with the same z as above (spread differs from predict_spread: the drift is linear in the predicted
  /// state). 0 for one-stage solvers.
  double push_second = 0, predict_keep = 0, predict_push = 0, predict_spread = 0;
  double chi = 1;          ///< stochasticity of the backward process that this step discretises (0: an ODE)
  double g_squared_dt = 0; ///< int g^2 dtau over the step = log(abar_next / abar)
  double girsanov = 0;     ///< path KL of a step = girsanov |score difference|^2 (NaN for chi = 0), nats
  double chain = 0;     ///< exact KL of the transition = chain |score difference|^2 (NaN unless one Gaussian
                        ///< one-step transition)
  double sigma() const; ///< sqrt(1 - abar)
  double alpha() const; ///< sqrt(abar)
};

struct SolverOptions {
  std::string solver = "ddim";
  double eta = 1.0; ///< chi of ddim, euler_maruyama and heun_sde, in [0, 1]; the others have their own
  bool lower_order_final =
      true; ///< dpmpp_2m(_sde): first order in the last of fewer than 15 steps (diffusers' default)
};

/// A solver on a grid.
struct StepTable {
  std::string solver;
  double eta = 1.0;
  std::vector<Step> steps;
  long size() const { return static_cast<long>(steps.size()); }
  bool two_stage() const;  ///< any step needs a second network call
  bool multistep() const;  ///< any step uses the previous x0hat
  bool stochastic() const; ///< has a path KL: chi > 0
};

/// Fills the table. Throws Error{data} for an unknown solver, an eta outside [0, 1], or a grid that is not of
/// this schedule.
StepTable make_step_table(const Schedule&, const Grid&, const SolverOptions&);

std::vector<std::string> solver_names();
std::vector<std::string> grid_names();

} // namespace scoreact
