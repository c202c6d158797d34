#pragma once
/// What every estimator of the policy gradient gives in the mean, in closed form and on the discrete chain:
/// the policy of G4 (models affine in x), a linear or quadratic reward, and the value function V =
/// c_skip(tau) RM(x0hat(tau, x)) that the library starts from. Gaussian integration by parts, E[(a - mu)/s^2
/// f(a)] = E[f'(a)], turns every estimator of section 5 of docs/mathematics.md into mean values at the states
/// of the chain, and those are exact (verification/exact_chain.hpp). So a difference beyond Monte Carlo error
/// is an error in the code, not a discretisation error.
#include "diffusion/schedule.hpp"
#include "rl/action.hpp"
#include "verification/exact_chain.hpp"

#include <string>

namespace scoreact::verification {

/// The problem that an estimator is asked about.
struct GradientProblem {
  Schedule schedule;
  StepTable table;
  std::vector<ActionStep> actions; ///< [K]
  Point mean;                      ///< of the data, G1
  double std = 1;                  ///< of the data
  Point direction;                 ///< u of G4
  Profile phi;
  double theta = 0;
  QuadraticReward reward;
};

/// Which estimator; names as in the deck.
struct Estimator {
  std::string advantage, update, baseline;
  double fd_scale = 3e-3;
  double kl_weight = 0;
};

struct Expectation {
  double value = 0;
  double scale = 0; ///< sum of the sizes of the terms: what rounding acts on
};

/// sum over the steps of E[estimate of d/dtheta at the step]; a random subset of them has the same mean.
Expectation expected_gradient(const GradientProblem&, const Estimator&);

/// The chain's law with the exploration noise that the library adds.
ChainLaw law_of(const GradientProblem&);
AffinePolicy policy_of(const GradientProblem&);
AffinePolicy pretrained_of(const GradientProblem&);

} // namespace scoreact::verification
