#include "run/trajectory_output.hpp"

#include "error/error.hpp"
#include "rl/path_kl.hpp"
#include "run/versions.hpp"
#include "store/trajectory_file.hpp"

#include <torch/torch.h>

#include <cmath>
#include <limits>

namespace scoreact {

namespace {

at::Tensor host(const at::Tensor& tensor) { return tensor.to(at::kCPU).contiguous(); }

/// [T, B, ...] terms at the chosen times as [K, B, ...] on the host, `others` where a sample was not trained.
at::Tensor at_all_steps(const at::Tensor& chosen, const ChosenTimes& times, long steps, at::ScalarType dtype,
                        double others = std::numeric_limits<double>::quiet_NaN()) {
  if (!chosen.defined())
    return {};
  std::vector<std::int64_t> shape = chosen.sizes().vec();
  shape[0] = steps;
  at::Tensor all = at::full(shape, others, dtype);
  all.index_put_({host(times.step), at::arange(chosen.size(1), at::kLong)}, host(chosen).to(dtype));
  return all;
}

template <class T> const T* pointer(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<T>() : nullptr;
}

} // namespace

bool stores_epoch(const std::string& trajectories, long epoch) {
  if (trajectories == "none")
    return false;
  if (trajectories == "all")
    return true;
  if (trajectories.starts_with("every:")) {
    const long every = std::atol(trajectories.c_str() + 6);
    if (every > 0)
      return epoch % every == 0;
  }
  SCOREACT_FAIL(ExitCode::data, "store.trajectories: expected none, all or every:N, found \"{}\"",
                trajectories);
}

void write_trajectories(const std::filesystem::path& path, Trajectories& batch, ScorePolicy& policy,
                        const StoreOptions& options, double kl_weight, long samples_per_call,
                        const Communicator& ranks, const std::string& deck) {
  const long steps = batch.steps(), samples = batch.samples();
  at::Tensor kl, chain, pretrained;
  if (options.means) { // all K rows, whatever num_times is; batch itself keeps what the algorithm chose
    Trajectories all = batch;
    all.times = all_times(steps, samples, batch.x.device());
    attach_pretrained(all, policy, samples_per_call);
    kl = host(all.kl_step);
    chain = host(all.kl_chain_step);
    pretrained = host(all.pretrained_mean);
  } else {
    const at::Tensor nothing =
        at::full({steps, samples}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
    kl = batch.kl_step.defined() ? at_all_steps(batch.kl_step, batch.times, steps, at::kDouble) : nothing;
    chain = batch.kl_chain_step.defined() ? at_all_steps(batch.kl_chain_step, batch.times, steps, at::kDouble)
                                          : nothing;
  }
  const at::Tensor x = host(batch.x), action = host(batch.action), mean = host(batch.mean),
                   log_prob = host(batch.log_prob);
  const at::Tensor reward = host(batch.reward.to(at::kFloat));
  const at::Tensor advantage = at_all_steps(batch.advantage, batch.times, steps, at::kFloat);
  const at::Tensor value = at_all_steps(batch.value, batch.times, steps, at::kFloat);
  const at::Tensor difference = at_all_steps(batch.value_difference, batch.times, steps, at::kFloat);
  const at::Tensor gradient = options.means && batch.value_gradient.defined()
                                  ? at_all_steps(batch.value_gradient, batch.times, steps, at::kFloat)
                                  : at::Tensor();
  const at::Tensor train_weight = at_all_steps(batch.times.weight, batch.times, steps, at::kDouble, 0.0);
  const at::Tensor prompt = host(batch.prompt);
  const at::Tensor index = at::arange(batch.shard.first, batch.shard.first + samples, at::kLong);

  TrajectoryBlock block;
  block.steps = steps;
  block.samples = samples;
  block.first_sample = batch.shard.first;
  for (const long extent : policy.sample_shape())
    block.sample_shape.push_back(extent);
  block.states = x.data_ptr<float>();
  block.action = action.data_ptr<float>();
  block.mean = options.means ? mean.data_ptr<float>() : nullptr;
  block.mean_pre = pointer<float>(pretrained);
  block.log_prob = log_prob.data_ptr<double>();
  block.kl_step = kl.data_ptr<double>();
  block.kl_chain_step = chain.data_ptr<double>();
  block.train_weight = train_weight.data_ptr<double>();
  block.advantage = pointer<float>(advantage);
  block.value = pointer<float>(value);
  block.value_difference = pointer<float>(difference);
  block.value_gradient = pointer<float>(gradient);
  block.reward = reward.data_ptr<float>();
  block.sample_index = index.data_ptr<std::int64_t>();
  for (long i = 0; i < samples; ++i)
    block.prompts.push_back(std::to_string(prompt.data_ptr<std::int64_t>()[i]));
  for (std::size_t k = 0; k < batch.table.steps.size(); ++k) {
    const Step& step = batch.table.steps[k];
    block.tau.push_back(step.tau);
    block.abar.push_back(step.abar);
    block.weight.push_back(std::log(step.abar_next / step.abar));
    block.keep.push_back(step.keep);
    block.push.push_back(step.push);
    block.spread.push_back(step.spread);
    block.girsanov.push_back(step.girsanov);
    block.drift.push_back(drift_weight(step));
    block.s_a.push_back(batch.actions[k].action_std);
  }
  block.tau.push_back(batch.table.steps.back().tau_next);
  block.abar.push_back(batch.table.steps.back().abar_next);
  block.solver = batch.table.solver;
  block.eta = batch.table.eta;
  block.lambda = kl_weight;
  block.attributes = {{"deck", deck}, {"epoch", static_cast<std::int64_t>(batch.epoch) + 1}};
  for (const auto& [name, version] : version_attributes())
    block.attributes[name] = version;
  ranks.barrier(); // whose limit names a rank that is missing; the one of the file can't
  write_trajectory_file(path, block, ranks.handle(), static_cast<int>(options.compression), ranks.patience());
}

} // namespace scoreact
