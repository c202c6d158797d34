#include "rl/value_fit.hpp"

#include "bridge/bridge.hpp"
#include "kernels/returns.hpp"
#include "rl/chosen_rows.hpp"

#include <torch/torch.h>

namespace scoreact {

at::Tensor monte_carlo_returns(const Trajectories& batch, double kl_weight, bool include_kl) {
  const long times = batch.times.count();
  if (!include_kl || kl_weight == 0)
    return batch.reward.expand({times, batch.samples()}).contiguous();
  const at::Tensor cost = (batch.kl_step * batch.times.weight).mul_(kl_weight).contiguous();
  at::Tensor returns = at::empty_like(cost);
  {
    bridge::Input<double> c(cost), r(batch.reward);
    bridge::Output<double> out(returns);
    kernels::returns_with_running_cost(bridge::stream_of(cost), c.rows(), r.span(), out.rows());
  }
  return returns;
}

namespace {

/// Features [times * count, ...] of `count` samples into their place of all.
void keep_features(Trajectories& batch, const at::Tensor& features, long first, long count) {
  std::vector<std::int64_t> shape = features.sizes().vec();
  shape[0] = count;
  shape.insert(shape.begin(), batch.times.count());
  if (!batch.value_features.defined()) {
    std::vector<std::int64_t> whole = shape;
    whole[1] = batch.samples();
    batch.value_features = at::empty(whole, features.options());
  }
  batch.value_features.narrow(1, first, count).copy_(features.view(shape));
}

} // namespace

double fit_value(Trajectories& batch, const at::Tensor& returns, ScorePolicy& policy, ValueFunction& value,
                 const Communicator& ranks, long samples_per_call, bool with_gradient) {
  const long times = batch.times.count();
  const Shard micro =
      make_shard(batch.shard.total, samples_per_call, ranks.rank(), ranks.size(), "train.micro_batch_size");
  const long part = samples_per_call, parts = micro.micro_batches();

  struct Part {
    ValueRows rows;
    at::Tensor frozen, target;
  };
  // of a small network the features are the rows themselves
  const auto features_of = [&](long i, const Part& entry) {
    return batch.value_features.defined() ? rows_of(batch.value_features, i * part, part)
                                          : value.trained_features(entry.rows);
  };
  std::vector<Part> cached;
  batch.frozen_branch = at::empty({times, batch.samples()}, batch.x.options());
  std::vector<std::int64_t> shape = batch.mean.sizes().vec();
  shape[0] = times;
  batch.frozen_gradient = with_gradient ? at::empty(shape, batch.x.options()) : at::Tensor();
  shape[1] = part;
  std::vector<double> errors;
  for (long i = 0; i < parts; ++i) {
    torch::NoGradGuard no_grad;
    const ChosenRows rows = chosen_rows(batch, policy.schedule(), i * part, part);
    Part entry;
    entry.rows = {rows.x, tweedie_mean(rows.x, rows.old_mean, rows.times), rows.times.tau, rows.prompt};
    const FrozenBranch frozen = value.frozen_branch(entry.rows, with_gradient);
    entry.frozen = frozen.value;
    batch.frozen_branch.narrow(1, i * part, part).copy_(frozen.value.view({times, part}));
    if (with_gradient)
      batch.frozen_gradient.narrow(1, i * part, part).copy_(frozen.gradient.view(shape));
    if (value.has_copy())
      keep_features(batch, value.trained_features(entry.rows), i * part, part);
    entry.target = rows_of(returns, i * part, part).to(at::kFloat);
    const at::Tensor error = (value.value(entry.rows, entry.frozen, features_of(i, entry)) - entry.target)
                                 .to(at::kDouble)
                                 .square()
                                 .sum()
                                 .to(at::kCPU);
    errors.push_back(error.item<double>());
    cached.push_back(std::move(entry));
  }
  double total = 0;
  for (const double error : ranks.gather_in_order(errors))
    total += error;

  const long wanted = std::max(1L, micro.total * times / std::max(1L, value.options().batch_size));
  const long groups = largest_divisor(micro.total_micro_batches(),
                                      wanted); // value.batch_size rounded up to whole micro-batches
  for (long update = 0; update < value.options().steps_per_epoch; ++update) {
    const Minibatch minibatch = minibatch_of(micro, groups, update % groups);
    // in units of the scale: the gradient is of order 1
    const double rows = static_cast<double>(minibatch.leaves * part * times) * value.scale() * value.scale();
    value.optimizer().update(
        {minibatch.leaves, minibatch.first, minibatch.count}, value.options().learning_rate, [&](long i) {
          const long cut = minibatch.sample_of(i) / part;
          const Part& entry = cached[static_cast<std::size_t>(cut)];
          at::AutoGradMode grad_mode(true);
          const at::Tensor error =
              value.value(entry.rows, entry.frozen, features_of(cut, entry)) - entry.target;
          (error.square().sum() / rows).backward();
        });
  }
  return total / static_cast<double>(micro.total * times);
}

} // namespace scoreact
