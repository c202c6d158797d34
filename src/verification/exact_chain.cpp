#include "verification/exact_chain.hpp"

#include "error/error.hpp"

#include <array>
#include <cmath>
#include <numeric>

namespace scoreact::verification {
namespace {

/// One step as a map of (x, previous x0hat): affine, with two independent noises (the solver's z and the
/// action's).
struct AffineStep {
  std::array<std::array<double, 2>, 2> map{};
  std::array<double, 2> on_first{}; ///< what the first score's offset adds to (x, x0hat)
  double on_second = 0;             ///< what the second score's offset adds to x
  double noise = 0, action = 0;     ///< what z and the exploration noise add to x, as factors
};

AffineStep affine_step(const Step& step, const AffineScore& first, const AffineScore& second,
                       double action_std) {
  // next = keep x + push s1 + carry c + spread z
  //        + push_second s2(predict_keep x + predict_push s1 + predict_spread z)
  const double through = step.push_second * second.slope;
  const double on_state = step.keep + through * step.predict_keep;
  const double on_score = step.push + through * step.predict_push;
  const double alpha = step.alpha(), variance = 1 - step.abar;
  AffineStep result;
  result.map[0] = {on_state + on_score * first.slope, step.carry};
  result.map[1] = {(1 + variance * first.slope) / alpha, 0}; // paper eq. 21
  result.on_first = {on_score, variance / alpha};
  result.on_second = step.push_second;
  result.noise = step.spread + through * step.predict_spread;
  // Exploration is held over the step, so it is in both scores; the carried x0hat is that of the mean
  // (rl/rollout.hpp).
  result.action = (on_score + step.push_second) * action_std;
  return result;
}

std::vector<AffineStep> affine_steps(const StepTable& table, const AffinePolicy& policy,
                                     const std::vector<double>& action_std) {
  SCOREACT_REQUIRE(policy.first.size() == table.steps.size() && policy.second.size() == table.steps.size(),
                   ExitCode::internal, "exact chain: {} steps, but a policy of {} and {}", table.steps.size(),
                   policy.first.size(), policy.second.size());
  std::vector<AffineStep> result;
  for (std::size_t k = 0; k < table.steps.size(); ++k) {
    result.push_back(affine_step(table.steps[k], policy.first[k], policy.second[k],
                                 action_std.empty() ? 0.0 : action_std[k]));
  }
  return result;
}

AffineScore gaussian_score(const Point& mean, double std, double abar) {
  const double v = abar * std * std + 1 - abar;
  AffineScore score{-1 / v, mean};
  for (double& value : score.offset) {
    value *= std::sqrt(abar) / v;
  }
  return score;
}

double factor(const Step& step, PathKl kind) { return kind == PathKl::girsanov ? step.girsanov : step.chain; }

} // namespace

double dot(const Point& a, const Point& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

AffinePolicy gaussian_policy(const StepTable& table, const Point& mean, double std) {
  AffinePolicy policy;
  for (const Step& step : table.steps) {
    policy.first.push_back(gaussian_score(mean, std, step.abar));
    policy.second.push_back(gaussian_score(mean, std, step.abar_next));
  }
  return policy;
}

AffinePolicy shifted(const AffinePolicy& pretrained, const StepTable& table, const Profile& phi,
                     const Point& direction, double theta) {
  AffinePolicy policy = pretrained;
  for (std::size_t k = 0; k < table.steps.size(); ++k) {
    for (std::size_t i = 0; i < direction.size(); ++i) {
      policy.first[k].offset[i] += theta * phi(table.steps[k].tau) * direction[i];
      policy.second[k].offset[i] += theta * phi(table.steps[k].tau_next) * direction[i];
    }
  }
  return policy;
}

ChainLaw law_of_chain(const StepTable& table, const AffinePolicy& policy,
                      const std::vector<double>& action_std) {
  const std::size_t d = policy.first.front().offset.size();
  Point mean(d, 0.0), carried(d, 0.0);
  double xx = 1, xc = 0, cc = 0; // covariance of (x, x0hat), a dimension
  ChainLaw law;
  law.state.push_back({mean, xx});
  const auto steps = affine_steps(table, policy, action_std);
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const AffineStep& step = steps[k];
    for (std::size_t i = 0; i < d; ++i) {
      const double x = mean[i], first = policy.first[k].offset[i];
      mean[i] = step.map[0][0] * x + step.map[0][1] * carried[i] + step.on_first[0] * first +
                step.on_second * policy.second[k].offset[i];
      carried[i] = step.map[1][0] * x + step.on_first[1] * first;
    }
    const double a = step.map[0][0], b = step.map[0][1], c = step.map[1][0];
    const double next_xx =
        a * a * xx + 2 * a * b * xc + b * b * cc + step.noise * step.noise + step.action * step.action;
    const double next_xc = a * c * xx + b * c * xc;
    cc = c * c * xx;
    xx = next_xx;
    xc = next_xc;
    law.state.push_back({mean, xx});
  }
  return law;
}

double expected_reward(const IsotropicLaw& final_state, const QuadraticReward& reward) {
  return reward(final_state.mean) -
         0.5 * reward.strength * static_cast<double>(final_state.mean.size()) * final_state.variance;
}

std::vector<double> kl_steps(const StepTable& table, const AffinePolicy& policy,
                             const AffinePolicy& pretrained, const ChainLaw& law, PathKl kind) {
  std::vector<double> result;
  for (std::size_t k = 0; k < table.steps.size(); ++k) {
    const AffineScore &now = policy.first[k], &before = pretrained.first[k];
    const double slope = now.slope - before.slope;
    Point difference(now.offset.size());
    for (std::size_t i = 0; i < difference.size(); ++i) {
      difference[i] = slope * law.state[k].mean[i] + now.offset[i] - before.offset[i];
    }
    const double spread = static_cast<double>(difference.size()) * slope * slope * law.state[k].variance;
    result.push_back(factor(table.steps[k], kind) * (dot(difference, difference) + spread));
  }
  return result;
}

Response response(const StepTable& table, const AffinePolicy& policy) {
  const auto steps = affine_steps(table, policy, {});
  Response result{std::vector<double>(steps.size()), std::vector<double>(steps.size())};
  std::array<double, 2> adjoint{1, 0}; // d E x_K / d (x, x0hat), backwards
  for (std::size_t k = steps.size(); k-- > 0;) {
    const AffineStep& step = steps[k];
    result.first[k] = adjoint[0] * step.on_first[0] + adjoint[1] * step.on_first[1];
    result.second[k] = adjoint[0] * step.on_second;
    adjoint = {adjoint[0] * step.map[0][0] + adjoint[1] * step.map[1][0], adjoint[0] * step.map[0][1]};
  }
  return result;
}

double objective_derivative(const StepTable& table, const AffinePolicy& pretrained, const Profile& phi,
                            const Point& direction, double theta, const QuadraticReward& reward,
                            double lambda, PathKl kind, const std::vector<double>& action_std) {
  const AffinePolicy policy = shifted(pretrained, table, phi, direction, theta);
  const ChainLaw law = law_of_chain(table, policy, action_std);
  const Response answer = response(table, policy);
  double shift = 0, kl = 0;
  for (std::size_t k = 0; k < table.steps.size(); ++k) {
    const double now = phi(table.steps[k].tau);
    shift += answer.first[k] * now + answer.second[k] * phi(table.steps[k].tau_next);
    if (lambda > 0) { // chi = 0 has no path KL
      kl += 2 * theta * factor(table.steps[k], kind) * now * now * dot(direction, direction);
    }
  }
  const Point gradient = reward.gradient(law.state.back().mean); // E grad RM(x_K): RM is quadratic
  return shift * dot(gradient, direction) - lambda * kl;
}

LinearOptimum discrete_optimum(const StepTable& table, const AffinePolicy& pretrained, const Point& direction,
                               double lambda) {
  SCOREACT_REQUIRE(!table.two_stage(), ExitCode::internal,
                   "discrete optimum: two-stage solvers push twice a step");
  const Response answer = response(table, pretrained);
  LinearOptimum optimum;
  for (std::size_t k = 0; k < table.steps.size(); ++k) {
    const double girsanov = table.steps[k].girsanov;
    // response delta u - lambda girsanov delta^2 |u|^2 is largest at delta = response / (2 lambda girsanov).
    const double delta = answer.first[k] / (2 * lambda * girsanov);
    optimum.gain += answer.first[k] * delta * dot(direction, direction);
    optimum.kl += girsanov * delta * delta * dot(direction, direction);
  }
  return optimum;
}

LinearOptimum tilted_on_chain(const StepTable& table, double std, const Point& direction, double lambda,
                              PathKl kind) {
  const AffinePolicy pretrained = gaussian_policy(table, Point(direction.size(), 0.0), std);
  const Response answer = response(table, pretrained);
  const auto push = [std, lambda](double abar) {
    return std::sqrt(abar) * std * std / (lambda * (abar * std * std + 1 - abar));
  };
  LinearOptimum result;
  for (std::size_t k = 0; k < table.steps.size(); ++k) {
    const Step& step = table.steps[k];
    const double delta = push(step.abar);
    result.gain +=
        (answer.first[k] * delta + answer.second[k] * push(step.abar_next)) * dot(direction, direction);
    result.kl += factor(step, kind) * delta * delta * dot(direction, direction);
  }
  return result;
}

} // namespace scoreact::verification
