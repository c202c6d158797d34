#include "evaluation/policy_evaluation.hpp"

#include "error/error.hpp"
#include "evaluation/inference.hpp"
#include "kernels/normal_noise.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <limits>

namespace scoreact {

namespace {

/// Adds up the KL terms of a draw, micro-batch by micro-batch. The policy's mean is the one that the sampler
/// used, so the pretrained network is the only extra evaluation.
class Divergence {
 public:
  Divergence(ScorePolicy& policy, const StepTable& table, const Shard& shard, const RolloutKey& key,
             c10::Device device)
      : policy_(policy), table_(table), shard_(shard), key_(key),
        path_(at::zeros({shard.count}, at::TensorOptions().dtype(at::kDouble).device(device))),
        chain_(at::zeros_like(path_)) {}

  void observe(const StepView& view) {
    if (view.step == 0)
      weights_ = divergence_weights(table_.size(), key_, (shard_.first + view.first) / shard_.micro_batch);
    const double weight = weights_[static_cast<std::size_t>(view.step)];
    if (weight == 0)
      return;
    const Step& step = table_.steps[static_cast<std::size_t>(view.step)];
    const at::Tensor difference =
        (view.mean - policy_.pretrained_mean(view.x, view.times, view.prompt)).to(at::kDouble);
    const at::Tensor squared = difference.square().flatten(1).sum(1);
    const long rows = squared.size(0);
    path_.narrow(0, view.first, rows).add_(squared, weight * step.girsanov);
    chain_.narrow(0, view.first, rows).add_(squared, weight * step.chain);
  }

  const at::Tensor& path() const { return path_; }
  const at::Tensor& chain() const { return chain_; }

 private:
  ScorePolicy& policy_;
  const StepTable& table_;
  Shard shard_;
  RolloutKey key_;
  std::vector<double> weights_;
  at::Tensor path_, chain_;
};

std::vector<double> gathered(const at::Tensor& values, const Communicator& ranks) {
  const at::Tensor host = values.to(at::kCPU, at::kDouble).contiguous();
  const double* data = host.data_ptr<double>();
  return ranks.gather_in_order(std::vector<double>(data, data + host.numel()));
}

} // namespace

std::vector<double> divergence_weights(long num_steps, const RolloutKey& key, long micro_batch) {
  const long last = (num_steps + 9) / 10;
  const long drawn = num_steps <= 10 ? num_steps : last + std::max(10 - last, (num_steps - last) / 4);
  std::vector<double> uniforms;
  for (long k = 0; k < drawn; ++k)
    uniforms.push_back(kernels::uniform_at({key.seed, key.epoch, 3, kernels::Purpose::time}, micro_batch,
                                           static_cast<std::uint32_t>(k)));
  const StepSubset subset = stratified_subset(num_steps, drawn, drawn < num_steps ? last : 0, uniforms);
  std::vector<double> weights(static_cast<std::size_t>(num_steps), 0.0);
  for (std::size_t i = 0; i < subset.step.size(); ++i)
    weights[static_cast<std::size_t>(subset.step[i])] = subset.weight[i];
  return weights;
}

PolicyEvaluation evaluate_policy(const EvaluationParts& parts, const StepTable& table, long samples,
                                 const RolloutKey& key, const EvaluationWants& wants) {
  torch::NoGradGuard no_grad;
  const Shard shard = deal_samples(samples, parts.micro_batch, parts.ranks.rank(), parts.ranks.size());
  const at::Tensor prompt = parts.prompts.in_turn(shard.first, shard.count).to(parts.device);
  Divergence divergence(parts.policy, table, shard, key, parts.device);
  std::function<void(const StepView&)> observe;
  if (wants.divergence && table.stochastic())
    observe = [&](const StepView& view) { divergence.observe(view); };
  const at::Tensor finals = draw(parts.policy, table, mean_actions(table), shard, prompt, key, {}, observe);

  at::Tensor reward = at::empty({shard.count}, finals.options().dtype(at::kDouble));
  at::Tensor right = at::empty_like(reward);
  for (long first = 0; first < shard.count; first += shard.micro_batch) {
    const long rows = std::min(shard.micro_batch, shard.count - first);
    const at::Tensor x = finals.narrow(0, first, rows), c = prompt.narrow(0, first, rows);
    reward.narrow(0, first, rows).copy_((*parts.reward)(x, c));
    if (parts.judge)
      right.narrow(0, first, rows).copy_(parts.judge->right(x, c));
  }

  PolicyEvaluation result;
  result.reward = gathered(reward, parts.ranks);
  for (std::size_t i = 0; i < result.reward.size(); ++i)
    SCOREACT_REQUIRE(std::isfinite(result.reward[i]), ExitCode::data,
                     "evaluate: the {} reward of sample {} drawn with {} in {} steps is {}",
                     parts.reward->name(), i, table.solver, table.size(), result.reward[i]);
  if (wants.divergence) {
    if (table.stochastic()) {
      result.kl_path = gathered(divergence.path(), parts.ranks);
      result.kl_chain = gathered(divergence.chain(), parts.ranks);
    } else {
      result.kl_path.assign(result.reward.size(), std::numeric_limits<double>::quiet_NaN());
      result.kl_chain = result.kl_path;
    }
  }
  if (parts.judge)
    result.judged_right = gathered(right, parts.ranks);
  if (wants.features) {
    const long count = std::clamp(wants.described - shard.first, 0L, shard.count);
    result.features =
        gathered(count > 0 ? wants.features(parts.policy.network().to_pixels(finals.narrow(0, 0, count)))
                           : at::empty({0}),
                 parts.ranks);
  }
  const at::Tensor all = parts.prompts.in_turn(0, samples);
  result.prompts.assign(all.data_ptr<std::int64_t>(), all.data_ptr<std::int64_t>() + samples);
  return result;
}

} // namespace scoreact
