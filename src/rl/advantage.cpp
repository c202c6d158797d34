#include "rl/advantage.hpp"

#include "bridge/bridge.hpp"
#include "error/error.hpp"
#include "kernels/advantage_rate.hpp"
#include "rl/chosen_rows.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact {

namespace {

at::Tensor broadcast_rows(const at::Tensor& per_row, const at::Tensor& like) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(like.dim()), 1);
  sizes[0] = like.size(0);
  return per_row.view(sizes);
}

/// V at displaced states, x0hat re-evaluated there: one policy and one value pass.
at::Tensor value_at(ScorePolicy& policy, ValueFunction& value, const at::Tensor& x, const ChosenRows& rows) {
  const at::Tensor mean = policy.mean(x, rows.times, rows.prompt);
  return value.value({x, tweedie_mean(x, mean, rows.times), rows.times.tau, rows.prompt}).to(at::kDouble);
}

/// ( V(x + h g^2 a) - baseline ) / h with the drift of the step inside, per row.
at::Tensor finite_difference(const Trajectories& batch, const ChosenRows& rows, ScorePolicy& policy,
                             ValueFunction& value, const AlgorithmOptions& options) {
  torch::NoGradGuard no_grad;
  const at::Tensor displacement = step_numbers(batch.table, rows.step, [&](const Step& step) {
    return policy.schedule().g_squared(step.tau) * options.fd_scale;
  });
  const at::Tensor h = broadcast_rows(displacement.to(at::kFloat), rows.x);
  at::Tensor difference;
  if (options.baseline == "antithetic") {
    const at::Tensor offset = h * (rows.action - rows.old_mean);
    difference = 0.5 * (value_at(policy, value, rows.x + offset, rows) -
                        value_at(policy, value, rows.x - offset, rows));
  } else {
    const at::Tensor from = options.baseline == "centred" ? rows.x + h * rows.old_mean : rows.x;
    difference =
        value_at(policy, value, rows.x + h * rows.action, rows) - value_at(policy, value, from, rows);
  }
  return difference * (step_numbers(batch.table, rows.step, drift_weight) / displacement);
}

/// q dt of the rows.
at::Tensor rate_of_rows(const Trajectories& batch, const ChosenRows& rows, const at::Tensor& pretrained,
                        const at::Tensor& value_term, bool is_gradient, const AlgorithmOptions& options) {
  const at::Tensor drift_rows = step_numbers(batch.table, rows.step, drift_weight);
  const at::Tensor cost_rows = step_numbers(batch.table, rows.step, [&](const Step& step) {
    return options.kl_weight > 0 ? options.kl_weight * step.girsanov : 0.0;
  });
  at::Tensor rate = at::empty({rows.x.size(0)}, rows.x.options().dtype(at::kDouble));
  {
    bridge::Input<float> a(rows.action), m(rows.old_mean), p(pretrained);
    bridge::Input<double> d(drift_rows), c(cost_rows), s(rows.action_std);
    bridge::Output<double> out(rate);
    const kernels::AdvantageTerms terms{d.span(), c.span(), s.span(), options.baseline != "none"};
    const auto stream = bridge::stream_of(rows.x);
    if (is_gradient) {
      bridge::Input<float> g(value_term);
      kernels::advantage_rate(stream, a.rows(), m.rows(), p.rows(), g.rows(), terms, out.span());
    } else {
      bridge::Input<double> v(value_term);
      kernels::advantage_rate_from_difference(stream, a.rows(), m.rows(), p.rows(), v.span(), terms,
                                              out.span());
    }
  }
  return rate;
}

/// V(t_{k+1}, x_{k+1}) - V(t_k, x_k) minus the running cost of the step; V at the last state is the reward
/// itself.
at::Tensor increments(Trajectories& batch, ScorePolicy& policy, ValueFunction& value,
                      const AlgorithmOptions& options, const at::Tensor& value_here, long samples_per_call) {
  const at::Tensor after = batch.times.step + 1;
  at::Tensor value_next;
  if (batch.times.count() == batch.steps()) { // all steps, in order: it is known already
    value_next = value_here.roll(-1, 0);
  } else {
    Trajectories next = batch; // the same tensors, asked one step later
    next.frozen_branch.reset();
    next.value_features.reset();
    next.times.step = after.clamp_max(batch.steps() - 1);
    value_next = value_at_rows(next, policy, value, false, samples_per_call).value;
  }
  batch.value_difference = at::where(after == batch.steps(), batch.reward, value_next) - value_here;
  if (options.kl_weight > 0)
    return batch.value_difference - options.kl_weight * batch.kl_step;
  return batch.value_difference.clone();
}

} // namespace

ValueAtRows value_at_rows(const Trajectories& batch, ScorePolicy& policy, ValueFunction& value,
                          bool with_gradient, long samples_per_call) {
  const long times = batch.times.count(), samples = batch.samples();
  ValueAtRows out;
  out.value = at::empty({times, samples}, batch.x.options().dtype(at::kDouble));
  std::vector<std::int64_t> shape = batch.mean.sizes().vec();
  shape[0] = times;
  if (with_gradient)
    out.gradient = at::empty(shape, batch.x.options());
  const long part = samples_per_call;
  shape[1] = part;
  const bool known = batch.frozen_branch.defined() && (!with_gradient || batch.frozen_gradient.defined());
  for (long first = 0; first < samples; first += part) {
    const ChosenRows rows = chosen_rows(batch, policy.schedule(), first, part);
    at::AutoGradMode grad_mode(with_gradient);
    at::Tensor x = rows.x;
    at::Tensor mean = rows.old_mean;
    if (with_gradient) {
      x.requires_grad_();
      mean = policy.mean(x, rows.times, rows.prompt);
    }
    const ValueRows at_rows{x, tweedie_mean(x, mean, rows.times), rows.times.tau, rows.prompt};
    FrozenBranch frozen;
    if (known) {
      frozen.value = rows_of(batch.frozen_branch, first, part);
      if (with_gradient)
        frozen.gradient = rows_of(batch.frozen_gradient, first, part);
    } else {
      frozen = value.frozen_branch(at_rows, with_gradient);
    }
    const bool kept = batch.value_features.defined() && !with_gradient;
    const at::Tensor v = kept ? value.value(at_rows, frozen.value, rows_of(batch.value_features, first, part))
                              : value.value(at_rows, frozen);
    if (with_gradient) {
      const at::Tensor gradient = torch::autograd::grad({v.sum()}, {x})[0];
      out.gradient.narrow(1, first, part).copy_(gradient.view(shape));
    }
    out.value.narrow(1, first, part).copy_(v.detach().view({times, part}));
  }
  return out;
}

void attach_advantage(Trajectories& batch, ScorePolicy& policy, ValueFunction& value,
                      const AlgorithmOptions& options, long samples_per_call) {
  const bool gradient = options.advantage == "gradient";
  const ValueAtRows here = value_at_rows(batch, policy, value, gradient, samples_per_call);
  batch.value = here.value;
  batch.value_gradient = here.gradient;
  if (options.advantage == "increment") {
    batch.advantage = increments(batch, policy, value, options, here.value, samples_per_call);
    return;
  }
  const long times = here.value.size(0), samples = batch.samples(), part = samples_per_call;
  batch.advantage = at::empty_like(here.value);
  if (!gradient)
    batch.value_difference = at::empty_like(here.value);
  for (long first = 0; first < samples; first += part) {
    const ChosenRows rows = chosen_rows(batch, policy.schedule(), first, part);
    const at::Tensor pretrained = rows_of(batch.pretrained_mean, first, part);
    const at::Tensor term = gradient ? rows_of(here.gradient, first, part)
                                     : finite_difference(batch, rows, policy, value, options);
    if (!gradient)
      batch.value_difference.narrow(1, first, part).copy_(term.view({times, part}));
    batch.advantage.narrow(1, first, part)
        .copy_(rate_of_rows(batch, rows, pretrained, term, gradient, options).view({times, part}));
  }
}

void standardise(at::Tensor& advantage, const std::string& how, double limit, const Communicator& ranks) {
  if (how != "none") {
    const at::Tensor host = advantage.to(at::kCPU).t().contiguous(); // [B, T]: blocks join in sample order
    const std::vector<double> mine(host.data_ptr<double>(), host.data_ptr<double>() + host.numel());
    const std::vector<double> all = ranks.gather_in_order(mine);
    const at::Tensor global =
        at::from_blob(const_cast<double*>(all.data()),
                      {static_cast<long>(all.size()) / host.size(1), host.size(1)}, at::kDouble);
    at::Tensor mean, std;
    if (how == "per_time") {
      mean = global.mean(0).unsqueeze(1);
      std = global.std(0, false).unsqueeze(1);
    } else {
      SCOREACT_REQUIRE(how == "global", ExitCode::data,
                       "algorithm.standardise: expected none, per_time or global, found \"{}\"", how);
      mean = global.mean();
      std = global.std(false);
    }
    advantage = (advantage - mean.to(advantage.device())) / (std.to(advantage.device()) + 1e-8);
  }
  if (limit > 0)
    advantage.clamp_(-limit, limit);
}

} // namespace scoreact
