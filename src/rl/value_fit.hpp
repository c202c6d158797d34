#pragma once
/// Fits V of eq. 20 to Monte Carlo returns of the rollout (paper eq. 18): mean squared error on (sample,
/// chosen time) pairs.
#include "rl/score_policy.hpp"
#include "rl/trajectories.hpp"
#include "rl/value_function.hpp"

namespace scoreact {

/// G_k = RM - lambda sum_{j >= k} w_j kl_j at the chosen times, [T, B] float64; without the sum when
/// include_kl is false.
at::Tensor monte_carlo_returns(const Trajectories&, double kl_weight, bool include_kl);

/// `samples_per_call` samples, each with all chosen times, make one network call. Runs value.steps_per_epoch
/// optimiser updates; the frozen branch is evaluated once per row, reused by them and left in the rollout,
/// with its gradient if the advantage will want one. Collective. Returns the mean squared error over the
/// rollout before the first update (how well V predicted fresh samples).
double fit_value(Trajectories&, const at::Tensor& returns, ScorePolicy&, ValueFunction&, const Communicator&,
                 long samples_per_call, bool with_gradient);

} // namespace scoreact
