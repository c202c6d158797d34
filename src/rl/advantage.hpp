#pragma once
/// The advantage rate q (paper eq. 5, docs/mathematics.md section 5), integrated over each chosen step: q_k
/// dt, in units of reward, [T, B] float64. Three estimators of its value term:
///   finite_difference (the paper)   ( V(x + h g^2 a) - V(x + h g^2 mu) ) / h   centred; none: minus V(x);
///                                                                              antithetic: central
///   gradient                        g^2 (a - mu) . grad V                      one backward pass
///   increment (the released code)   V(t_{k+1}, x_{k+1}) - V(t_k, x_k)          a per-step increment, no rate
#include "rl/score_policy.hpp"
#include "rl/trajectories.hpp"
#include "rl/value_function.hpp"

namespace scoreact {

/// V and its state gradient at the chosen rows, under the policy that rolled out.
struct ValueAtRows {
  at::Tensor value;    ///< [T, B] float64
  at::Tensor gradient; ///< [T, B, ...] fp32; defined if asked for
};
/// The gradient runs through x0hat and so through the policy network (its Jacobian), and through the frozen
/// reward branch if that is differentiable. That branch is taken from the rollout where fit_value left it,
/// else evaluated here. `samples_per_call` samples, each with all chosen times, make one network call.
ValueAtRows value_at_rows(const Trajectories&, ScorePolicy&, ValueFunction&, bool with_gradient,
                          long samples_per_call);

/// Fills batch.advantage (and batch.value). Needs attach_pretrained.
void attach_advantage(Trajectories& batch, ScorePolicy&, ValueFunction&, const AlgorithmOptions&,
                      long samples_per_call);

/// In place: (A - mean) / (std + 1e-8) over the global batch, per time or over all times, then clamped to
/// +-limit (0 = none). A time is a row of A: a step if all steps are trained, else a stratum of them.
void standardise(at::Tensor& advantage, const std::string& how, double limit, const Communicator&);

} // namespace scoreact
