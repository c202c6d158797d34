#include "rl/rollout.hpp"

#include "bridge/bridge.hpp"
#include "kernels/normal_noise.hpp"
#include "kernels/runtime.hpp"
#include "kernels/sampler_step.hpp"

#include <torch/torch.h>

namespace scoreact {

namespace {

using kernels::NoiseKey;
using kernels::Purpose;

NoiseKey key_of(const RolloutKey& key, long step, Purpose purpose) {
  return {key.seed, key.epoch, static_cast<std::uint32_t>(step), purpose};
}

std::vector<std::int64_t> with_leading(std::int64_t n, const std::vector<long>& shape) {
  std::vector<std::int64_t> sizes = {n};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return sizes;
}

/// Where one micro-batch's step writes.
struct StepOutput {
  at::Tensor mean, action, next, log_prob;
};

/// Advances the samples of one micro-batch by step k.
class Stepper {
 public:
  Stepper(ScorePolicy& policy, const StepTable& table, const std::vector<ActionStep>& actions,
          const RolloutKey& key, const at::Tensor& on_device)
      : policy_(policy), table_(table), actions_(actions), key_(key) {
    std::vector<std::pair<double, double>> begins, ends;
    for (const Step& step : table.steps) {
      begins.emplace_back(step.tau, step.abar);
      ends.emplace_back(step.tau_next, step.abar_next);
    }
    begins_ = row_times(policy.schedule(), begins, 1, on_device);
    if (table.two_stage())
      ends_ = row_times(policy.schedule(), ends, 1, on_device);
  }

  /// `x0hat_previous` is replaced by this step's x0hat when the solver is multistep.
  RowTimes advance(long k, std::int64_t first_sample, const at::Tensor& x, const at::Tensor& prompt,
                   at::Tensor& x0hat_previous, const StepOutput& out) {
    const Step& step = table_.steps[static_cast<std::size_t>(k)];
    const ActionStep& action = actions_[static_cast<std::size_t>(k)];
    RowTimes times = rows_at(begins_, k, x.size(0));
    const at::Tensor mean = policy_.mean(x, times, prompt);
    out.mean.copy_(mean);

    kernels::StepCoefficients coefficients{step.keep, step.push, step.carry, action.brownian,
                                           action.action_std};
    if (step.push_second !=
        0) { // stochastic Heun: the second score is taken at the predicted state, the action's offset held
      at::Tensor predicted = at::empty_like(x);
      kernels::StepCoefficients predictor{step.predict_keep, step.predict_push, 0.0, step.predict_spread,
                                          action.action_std};
      run(predictor, k, first_sample, x, {}, {out.mean, out.action, predicted, out.log_prob});
      const RowTimes end = rows_at(ends_, k, x.size(0));
      const at::Tensor second = policy_.mean(predicted, end, prompt) + (out.action - out.mean);
      run(coefficients, k, first_sample, x, {}, out);
      out.next.add_(second, step.push_second);
    } else {
      run(coefficients, k, first_sample, x, x0hat_previous, out);
    }
    if (table_.multistep())
      x0hat_previous = tweedie_mean(x, mean, times);
    return times;
  }

 private:
  void run(const kernels::StepCoefficients& coefficients, long k, std::int64_t first_sample,
           const at::Tensor& x, const at::Tensor& carried, const StepOutput& out) const {
    bridge::Input<float> state(x), mean(out.mean);
    bridge::Output<float> action(out.action), next(out.next);
    bridge::Output<double> log_prob(out.log_prob);
    kernels::Rows<const float> previous{nullptr, x.size(0), x.numel() / x.size(0)};
    std::optional<bridge::Input<float>> carried_input;
    if (coefficients.carry != 0)
      previous = carried_input.emplace(carried).rows();
    kernels::sampler_step(bridge::stream_of(x), key_of(key_, k, Purpose::action),
                          key_of(key_, k, Purpose::brownian), first_sample, coefficients, state.rows(),
                          mean.rows(), previous, action.rows(), next.rows(), log_prob.span());
  }

  ScorePolicy& policy_;
  const StepTable& table_;
  const std::vector<ActionStep>& actions_;
  RolloutKey key_;
  RowTimes begins_, ends_; ///< [K], of the steps; ends for stochastic Heun
};

void initial_noise(const RolloutKey& key, std::int64_t first_sample, const at::Tensor& out) {
  bridge::Output<float> noise(out);
  kernels::normal_noise(bridge::stream_of(out), key_of(key, 0, Purpose::initial_state), first_sample,
                        noise.rows());
}

} // namespace

Trajectories collect(ScorePolicy& policy, const StepTable& table, const std::vector<ActionStep>& actions,
                     const Shard& shard, const at::Tensor& prompt, const RolloutKey& key) {
  torch::NoGradGuard no_grad;
  const long steps = table.size(), samples = shard.count;
  const std::vector<long> shape = policy.sample_shape();
  long elements = 1;
  for (const long extent : shape)
    elements *= extent;

  Trajectories batch;
  batch.table = table;
  batch.actions = actions;
  batch.shard = shard;
  batch.seed = key.seed;
  batch.epoch = key.epoch;
  batch.prompt = prompt;
  batch.storage = std::make_shared<std::vector<kernels::TrajectoryBuffer>>();
  batch.storage->reserve(3);
  const auto allocate = [&](long times) {
    std::vector<std::int64_t> sizes = with_leading(times, {});
    sizes.push_back(samples);
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    if (prompt.is_cuda() && !kernels::kernels_run_on_device()) // states live where the network runs
      return at::empty(sizes, at::TensorOptions().dtype(at::kFloat).device(prompt.device()));
    batch.storage->emplace_back(times, samples, elements);
    return bridge::as_tensor(batch.storage->back()).view(sizes);
  };
  batch.x = allocate(steps + 1);
  batch.action = allocate(steps);
  batch.mean = allocate(steps);
  batch.log_prob = at::empty({steps, samples}, batch.x.options().dtype(at::kDouble));

  Stepper stepper(policy, table, actions, key, prompt);
  for (long first = 0; first < samples; first += shard.micro_batch) {
    const auto part = [&](const at::Tensor& buffer, long k) {
      return buffer[k].narrow(0, first, shard.micro_batch);
    };
    initial_noise(key, shard.first + first, part(batch.x, 0));
    const at::Tensor prompts = prompt.narrow(0, first, shard.micro_batch);
    at::Tensor x0hat_previous;
    for (long k = 0; k < steps; ++k)
      stepper.advance(
          k, shard.first + first, part(batch.x, k), prompts, x0hat_previous,
          {part(batch.mean, k), part(batch.action, k), part(batch.x, k + 1), part(batch.log_prob, k)});
  }
  return batch;
}

at::Tensor initial_states(const RolloutKey& key, const Shard& shard, const std::vector<long>& sample_shape,
                          const at::Device& device) {
  at::Tensor x = at::empty(with_leading(shard.count, sample_shape),
                           at::TensorOptions().dtype(at::kFloat).device(device));
  initial_noise(key, shard.first, x);
  return x;
}

at::Tensor draw(ScorePolicy& policy, const StepTable& table, const std::vector<ActionStep>& actions,
                const Shard& shard, const at::Tensor& prompt, const RolloutKey& key,
                const at::Tensor& initial, const std::function<void(const StepView&)>& observe) {
  torch::NoGradGuard no_grad;
  const auto options = at::TensorOptions().dtype(at::kFloat).device(prompt.device());
  // given noise decides the size: convolutional networks draw other sizes than they were trained at
  const std::vector<long> shape = initial.defined() ? initial.sizes().slice(1).vec() : policy.sample_shape();
  at::Tensor finals = at::empty(with_leading(shard.count, shape), options);
  Stepper stepper(policy, table, actions, key, prompt);
  for (long first = 0; first < shard.count; first += shard.micro_batch) {
    const long rows = std::min(shard.micro_batch, shard.count - first);
    at::Tensor x = at::empty(with_leading(rows, shape), options), next = at::empty_like(x);
    const StepOutput scratch{at::empty_like(x), at::empty_like(x), next,
                             at::empty({rows}, options.dtype(at::kDouble))};
    if (initial.defined())
      x.copy_(initial.narrow(0, first, rows));
    else
      initial_noise(key, shard.first + first, x);
    const at::Tensor prompts = prompt.narrow(0, first, rows);
    at::Tensor x0hat_previous;
    for (long k = 0; k < table.size(); ++k) {
      StepOutput out = scratch;
      out.next = next;
      const RowTimes times = stepper.advance(k, shard.first + first, x, prompts, x0hat_previous, out);
      if (observe)
        observe({k, first, x, out.mean, out.action, next, times, prompts});
      std::swap(x, next);
    }
    finals.narrow(0, first, rows).copy_(x);
  }
  return finals;
}

long passes_per_score(double guidance_scale) { return guidance_scale == 1.0 ? 1 : 2; }

long rollout_network_evaluations(const StepTable& table, long samples, double guidance_scale) {
  long calls = 0;
  for (const Step& step : table.steps)
    calls += step.push_second != 0 ? 2 : 1;
  return calls * samples * passes_per_score(guidance_scale);
}

} // namespace scoreact
