#pragma once
/// The exact law of a sampler's discrete chain when the policy is affine in the state with isotropic slope:
/// means and variances by recursion through the step table (one-stage, two-stage with a second score,
/// multistep with the previous x0hat), in float64, and from them the objective J(theta) = E RM - lambda KL
/// and its derivative (docs/mathematics.md section 6, G2-G4, G6). No Monte Carlo, no tensors.
#include "diffusion/step.hpp"
#include "models/analytic/gaussian_mixture.hpp"

#include <vector>

namespace scoreact::verification {

/// Sum over the dimensions of a_i b_i.
double dot(const Point& a, const Point& b);

/// s(x) = slope x + offset.
struct AffineScore {
  double slope = 0;
  Point offset; ///< [d]
};

/// The score at (tau_k, x_k), and for two-stage solvers at (tau_{k+1}, predicted x_{k+1}).
struct AffinePolicy {
  std::vector<AffineScore> first, second; ///< [K] each
};

/// The exact score of noised Gaussian data (G1): N(mean, std^2 I) at the times of the table.
AffinePolicy gaussian_policy(const StepTable&, const Point& mean, double std);

/// Profile phi(tau) = constant + linear tau + quadratic tau^2 of the policy s_pre + theta phi(tau) u (G4).
struct Profile {
  double constant = 1, linear = 0, quadratic = 0;
  double operator()(double tau) const { return constant + tau * (linear + tau * quadratic); }
};
AffinePolicy shifted(const AffinePolicy& pretrained, const StepTable&, const Profile& phi,
                     const Point& direction, double theta);

/// N(mean, variance I).
struct IsotropicLaw {
  Point mean; ///< [d]
  double variance = 1;
};

/// Law of the chain started from N(0, I).
/// @param action_std [K] exploration noise added to the score of the first stage (action = score); empty =
/// none.
struct ChainLaw {
  std::vector<IsotropicLaw> state; ///< [K+1], noise to data
};
ChainLaw law_of_chain(const StepTable&, const AffinePolicy&, const std::vector<double>& action_std = {});

/// E RM(x_K).
double expected_reward(const IsotropicLaw& final_state, const QuadraticReward&);

/// Which of the two path KLs (docs/mathematics.md section 4).
enum class PathKl { girsanov, chain };
/// E |s - s_pre|^2 at every step times the factor of the table, nats; first-stage scores.
std::vector<double> kl_steps(const StepTable&, const AffinePolicy&, const AffinePolicy& pretrained,
                             const ChainLaw&, PathKl);

/// d E x_K / d offset_k (a multiple of the identity): the answer of the final mean to a push on the score of
/// step k. `second`: the same for the second stage's offset. The response to slopes is not covered.
struct Response {
  std::vector<double> first, second; ///< [K]
};
Response response(const StepTable&, const AffinePolicy&);

/// dJ/dtheta of the policy shifted(...) with path KL `kind`, exact for the discrete chain.
double objective_derivative(const StepTable&, const AffinePolicy& pretrained, const Profile&,
                            const Point& direction, double theta, const QuadraticReward&, double lambda,
                            PathKl kind, const std::vector<double>& action_std = {});

/// Best constant-in-x pushes on this chain for a linear reward: maximises E RM - lambda KL with the Girsanov
/// sum.
struct LinearOptimum {
  double gain = 0; ///< E RM above the pretrained chain, units of reward
  double kl = 0;   ///< path KL of `kind`, nats
};
LinearOptimum discrete_optimum(const StepTable&, const AffinePolicy& pretrained, const Point& direction,
                               double lambda);

/// What pathwise updates with the exact continuous value reach: pushes alpha s^2 u/(lambda v) at every step
/// (G2), on this chain.
LinearOptimum tilted_on_chain(const StepTable&, double std, const Point& direction, double lambda,
                              PathKl kind);

} // namespace scoreact::verification
