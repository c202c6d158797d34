#include "verification/expected_gradient.hpp"

#include <cmath>
#include <numbers>

namespace scoreact::verification {
namespace {

Point affine(double slope, const Point& x, const Point& offset) {
  Point result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    result[i] = slope * x[i] + offset[i];
  }
  return result;
}

/// Exploration in the mean-value sense: noise that acts through the score and is not the step's own.
std::vector<double> exploration(const GradientProblem& problem) {
  std::vector<double> result;
  for (std::size_t k = 0; k < problem.table.steps.size(); ++k) {
    // transition: s_a |push| = spread and no Brownian noise, already in the table's spread
    const bool own_noise = problem.actions[k].brownian == 0 && problem.table.steps[k].spread > 0;
    result.push_back(own_noise ? 0.0 : problem.actions[k].action_std);
  }
  return result;
}

/// E[grad V(tau_k, x)] for x of mean `state`: V = cos(pi tau/2) RM(x0hat), x0hat = (x + sigma^2 s)/alpha, an
/// affine function.
Point value_gradient(const GradientProblem& problem, std::size_t k, const AffineScore& score,
                     const Point& state) {
  const Step& step = problem.table.steps[k];
  const double variance = 1 - step.abar, alpha = step.alpha();
  const double slope = (1 + variance * score.slope) / alpha;
  Point offset = score.offset;
  for (double& value : offset) {
    value *= variance / alpha;
  }
  Point gradient = problem.reward.gradient(affine(slope, state, offset));
  for (double& value : gradient) {
    value *= std::cos(std::numbers::pi / 2 * step.tau) * slope;
  }
  return gradient;
}

/// d x_{k+1} / d a_k: the action also enters the second stage, as an offset that is held.
double action_response(const Step& step, const AffineScore& second) {
  return step.push + step.push_second * (second.slope * step.predict_push + 1);
}

} // namespace

AffinePolicy pretrained_of(const GradientProblem& problem) {
  return gaussian_policy(problem.table, problem.mean, problem.std);
}

AffinePolicy policy_of(const GradientProblem& problem) {
  return shifted(pretrained_of(problem), problem.table, problem.phi, problem.direction, problem.theta);
}

ChainLaw law_of(const GradientProblem& problem) {
  return law_of_chain(problem.table, policy_of(problem), exploration(problem));
}

Expectation expected_gradient(const GradientProblem& problem, const Estimator& estimator) {
  const AffinePolicy policy = policy_of(problem);
  const ChainLaw law = law_of(problem);
  const auto& steps = problem.table.steps;
  const bool score_function = estimator.update != "pathwise";
  const bool increment = score_function && estimator.advantage == "increment";
  const bool displaced =
      score_function && estimator.advantage == "finite_difference" && estimator.baseline != "antithetic";
  Expectation result;
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const Step& step = steps[k];
    if (score_function && problem.actions[k].action_std == 0) {
      continue; // a deterministic step has no ratio
    }
    const double phi = problem.phi(step.tau);
    double value_term = 0;
    if (increment && k + 1 == steps.size()) {
      value_term = action_response(step, policy.second[k]) *
                   dot(problem.reward.gradient(law.state.back().mean), problem.direction);
    } else if (increment) {
      value_term =
          action_response(step, policy.second[k]) *
          dot(value_gradient(problem, k + 1, policy.first[k + 1], law.state[k + 1].mean), problem.direction);
    } else {
      Point at = law.state[k].mean;
      if (displaced) { // V is quadratic: its mean gradient at x + h g^2 a is the gradient at the mean of that
        const double h = estimator.fd_scale * problem.schedule.g_squared(step.tau);
        const Point drift = affine(policy.first[k].slope, at, policy.first[k].offset);
        at = affine(h, drift, at);
      }
      value_term =
          drift_weight(step) * dot(value_gradient(problem, k, policy.first[k], at), problem.direction);
    }
    // The running cost acts through the action (or mean); the increment of the released code has it at the
    // mean, where it does not depend on the action and drops out of the gradient.
    const double cost = increment || estimator.kl_weight == 0
                            ? 0.0
                            : 2 * estimator.kl_weight * step.girsanov * problem.theta * phi *
                                  dot(problem.direction, problem.direction);
    result.value += phi * (value_term - cost);
    result.scale += std::abs(phi) * (std::abs(value_term) + std::abs(cost));
  }
  return result;
}

} // namespace scoreact::verification
