#include "rl/policy_update.hpp"

#include "bridge/bridge.hpp"
#include "error/error.hpp"
#include "kernels/clipped_surrogate.hpp"
#include "kernels/gaussian_log_ratio.hpp"
#include "kernels/path_kl.hpp"
#include "rl/action.hpp"
#include "rl/chosen_rows.hpp"
#include "rl/rl_options.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact {

namespace {

AdamWOptions adamw_options(const TrainOptions& train) {
  return {train.adam_beta1,   train.adam_beta2,    train.adam_weight_decay,
          train.adam_epsilon, train.max_grad_norm, train.ema_decay};
}

kernels::SurrogateBounds surrogate_bounds(const AlgorithmOptions& algorithm, const TrainOptions& train,
                                          long dimensions) {
  const double d = static_cast<double>(dimensions);
  if (algorithm.update == "policy_gradient")
    return {-1e30, 1e30, d, false};
  if (train.clip_range_mean > 0)
    return {std::log1p(-train.clip_range_mean), std::log1p(train.clip_range_mean), d, true};
  return {std::log1p(-train.clip_range), std::log1p(train.clip_range), d, false};
}

at::Tensor log_ratio_of(const ChosenRows& rows, const at::Tensor& mean) {
  at::Tensor out = at::empty({mean.size(0)}, mean.options().dtype(at::kDouble));
  {
    bridge::Input<float> a(rows.action), m(mean), old(rows.old_mean);
    bridge::Input<double> s(rows.action_std);
    bridge::Output<double> o(out);
    kernels::gaussian_log_ratio(bridge::stream_of(mean), a.rows(), m.rows(), old.rows(), s.span(),
                                kernels::LogRatioReduction::sum, o.span());
  }
  return out;
}

/// KL(N(mean) || N(old)) = |mean - old|^2 / (2 s_a^2) of each row.
at::Tensor policy_kl_of(const ChosenRows& rows, const at::Tensor& mean) {
  at::Tensor out = at::empty({mean.size(0)}, mean.options().dtype(at::kDouble));
  const at::Tensor factor = at::where(rows.action_std > 0, 0.5 / rows.action_std.square(), 0.0);
  {
    bridge::Input<float> m(mean), old(rows.old_mean);
    bridge::Input<double> f(factor);
    bridge::Output<double> o(out);
    kernels::path_kl_density(bridge::stream_of(mean), m.rows(), old.rows(), f.span(), o.span());
  }
  return out;
}

at::Tensor as_column(const at::Tensor& per_row, const at::Tensor& like) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(like.dim()), 1);
  sizes[0] = like.size(0);
  return per_row.to(at::kFloat).view(sizes);
}

} // namespace

/// Sums over the rows of a micro-batch; tensors, so that nothing waits for the device inside a step.
struct PolicyUpdate::MicroBatchReport {
  at::Tensor clipped;             ///< [1] float64, rows cut
  at::Tensor policy_kl;           ///< [1] float64, weighted sum over rows
  at::Tensor max_ratio_deviation; ///< [1] float64
};

PolicyUpdate::PolicyUpdate(ScorePolicy& policy, const AlgorithmOptions& algorithm, const TrainOptions& train,
                           const LearningRateOptions& learning_rate, const Communicator& ranks,
                           bool deterministic)
    : policy_(policy), algorithm_(algorithm), train_(train), learning_rate_(learning_rate), ranks_(ranks),
      optimizer_(FlatParameters(policy.network().named_parameters()), adamw_options(train), ranks,
                 deterministic) {}

PolicyUpdate::MicroBatchReport PolicyUpdate::backward(const Trajectories& batch, const UpdateSignal& signal,
                                                      long first, long count, double scale,
                                                      bool first_update) {
  const ChosenRows rows = chosen_rows(batch, policy_.schedule(), first, count);
  const at::Tensor mean_graph = policy_.mean(rows.x, rows.times, rows.prompt);
  torch::NoGradGuard no_grad;
  const at::Tensor mean = mean_graph.detach().contiguous();
  const at::Tensor& weight = rows.weight;
  const auto scalar = rows.x.options().dtype(at::kDouble);

  MicroBatchReport report;
  report.policy_kl = (policy_kl_of(rows, mean) * weight).sum().view({1});
  report.clipped = at::zeros({1}, scalar);
  report.max_ratio_deviation = at::zeros({1}, scalar);

  at::Tensor cotangent; // G: dJ/d mean of every row
  if (algorithm_.update == "pathwise") {
    cotangent = as_column(weight * step_numbers(batch.table, rows.step, drift_weight), mean) *
                rows_of(signal.value_gradient, first, count);
    if (algorithm_.kl_weight > 0) {
      const at::Tensor cost = step_numbers(batch.table, rows.step, [&](const Step& step) {
        return 2.0 * algorithm_.kl_weight * step.girsanov;
      });
      cotangent -= as_column(weight * cost, mean) * (mean - rows_of(batch.pretrained_mean, first, count));
    }
    if (first_update) {
      const long elements = mean.numel() / mean.size(0);
      const double d = static_cast<double>(elements);
      report.max_ratio_deviation = ((log_ratio_of(rows, mean) / d).exp() - 1.0).abs().max().view({1});
    }
  } else {
    const at::Tensor log_ratio = log_ratio_of(rows, mean);
    const at::Tensor advantage = rows_of(signal.advantage, first, count);
    at::Tensor derivative = at::empty_like(log_ratio), value = at::empty_like(log_ratio);
    at::Tensor summary = at::zeros({4}, scalar);
    cotangent = at::empty_like(mean);
    {
      const auto stream = bridge::stream_of(mean);
      bridge::Input<double> l(log_ratio), a(advantage), w(weight), s(rows.action_std);
      {
        bridge::Output<double> d(derivative), v(value), total(summary);
        kernels::clipped_surrogate(stream, surrogate_bounds(algorithm_, train_, mean.numel() / mean.size(0)),
                                   l.span(), a.span(), w.span(), d.span(), v.span(),
                                   reinterpret_cast<kernels::SurrogateSummary*>(total.span().data));
      }
      bridge::Input<float> action(rows.action), m(mean);
      bridge::Input<double> upstream(derivative);
      bridge::Output<float> g(cotangent);
      kernels::gaussian_log_ratio_backward(stream, action.rows(), m.rows(), s.span(),
                                           kernels::LogRatioReduction::sum, upstream.span(), g.rows());
    }
    report.clipped = summary.slice(0, 1, 2);
    report.max_ratio_deviation = summary.slice(0, 3, 4);
  }
  {
    at::AutoGradMode grad_mode(true);
    mean_graph.backward(cotangent.mul_(-scale).view(mean_graph.sizes()));
  }
  return report;
}

UpdateReport PolicyUpdate::operator()(const Trajectories& batch, const UpdateSignal& signal) {
  const Shard micro = make_shard(batch.shard.total, train_.micro_batch_size, ranks_.rank(), ranks_.size(),
                                 "train.micro_batch_size");
  const long minibatches = batch.shard.total / train_.minibatch_size;
  const double scale = 1.0 / static_cast<double>(train_.minibatch_size);
  const long rows = batch.times.count() * train_.micro_batch_size;

  UpdateReport report;
  double clipped = 0, updates = 0;
  bool first_update = true, stop = false;
  for (long inner = 0; inner < train_.num_inner_epochs && !stop; ++inner) {
    for (long minibatch = 0; minibatch < minibatches && !stop; ++minibatch) {
      std::vector<MicroBatchReport> parts;
      report.learning_rate = learning_rate(learning_rate_, optimizer_.steps());
      const Minibatch part = minibatch_of(micro, minibatches, minibatch);
      const at::Tensor norm =
          optimizer_.update({part.leaves, part.first, part.count}, report.learning_rate, [&](long i) {
            parts.push_back(
                backward(batch, signal, part.sample_of(i), train_.micro_batch_size, scale, first_update));
          });
      std::vector<double> sums;
      for (const MicroBatchReport& micro_batch : parts) {
        const at::Tensor host =
            at::cat({micro_batch.clipped, micro_batch.policy_kl, micro_batch.max_ratio_deviation})
                .to(at::kCPU);
        sums.insert(sums.end(), host.data_ptr<double>(), host.data_ptr<double>() + 3);
      }
      const std::vector<double> all = ranks_.gather_in_order(sums);
      double kl = 0;
      for (std::size_t i = 0; i < all.size(); i += 3) {
        clipped += all[i] / static_cast<double>(rows);
        kl += all[i + 1] * scale;
        if (first_update)
          report.ratio_first_max_deviation = std::max(report.ratio_first_max_deviation, all[i + 2]);
      }
      const std::size_t reports = all.size() / 3;
      updates += static_cast<double>(reports);
      report.policy_kl = kl;
      report.grad_norm += norm.item<double>();
      report.network_evaluations += part.leaves * rows;
      first_update = false;
      stop = algorithm_.policy_kl_limit > 0 && kl > algorithm_.policy_kl_limit;
      if (stop || (inner + 1 == train_.num_inner_epochs && minibatch + 1 == minibatches))
        report.grad_norm /= static_cast<double>(inner * minibatches + minibatch + 1);
    }
  }
  report.clip_fraction = clipped / std::max(updates, 1.0);
#ifndef NDEBUG
  // networks give a row the same bits in any call of 16 rows or more (docs/architecture.md); smaller ones
  // round differently
  const bool exact = std::min(rows, batch.shard.micro_batch) >= 16;
  SCOREACT_REQUIRE(
      report.ratio_first_max_deviation <= (exact ? 0.0 : 1e-4), ExitCode::internal,
      "the likelihood ratio before the first update deviates from 1 by {}: rollout and update evaluate "
      "different policies",
      report.ratio_first_max_deviation);
#endif
  return report;
}

long updates_per_epoch(long samples_per_epoch, const TrainOptions& train) {
  return samples_per_epoch / train.minibatch_size * train.num_inner_epochs;
}

} // namespace scoreact
