#include "rl/path_kl.hpp"

#include "bridge/bridge.hpp"
#include "kernels/normal_noise.hpp"
#include "kernels/path_kl.hpp"
#include "parallel/communicator.hpp"
#include "rl/chosen_rows.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>

namespace scoreact {

namespace {

at::Tensor density(const at::Tensor& mean, const at::Tensor& pretrained, const at::Tensor& factor) {
  at::Tensor out = at::empty({mean.size(0)}, mean.options().dtype(at::kDouble));
  {
    bridge::Input<float> m(mean), p(pretrained);
    bridge::Input<double> f(factor);
    bridge::Output<double> o(out);
    kernels::path_kl_density(bridge::stream_of(mean), m.rows(), p.rows(), f.span(), o.span());
  }
  return out;
}

} // namespace

void attach_pretrained(Trajectories& batch, ScorePolicy& policy, long samples_per_call) {
  torch::NoGradGuard no_grad;
  const long times = batch.times.count(), samples = batch.samples();
  std::vector<std::int64_t> shape = batch.mean.sizes().vec();
  shape[0] = times;
  batch.pretrained_mean = at::empty(shape, batch.mean.options());
  batch.kl_step = at::empty({times, samples}, batch.mean.options().dtype(at::kDouble));
  batch.kl_chain_step = at::empty_like(batch.kl_step);
  const long part = std::min(samples_per_call, samples);
  for (long first = 0; first < samples; first += part) {
    const ChosenRows rows = chosen_rows(batch, policy.schedule(), first, part);
    const at::Tensor pretrained = policy.pretrained_mean(rows.x, rows.times, rows.prompt).contiguous();
    std::vector<std::int64_t> sizes = shape;
    sizes[1] = part;
    batch.pretrained_mean.narrow(1, first, part).copy_(pretrained.view(sizes));
    const auto store = [&](const at::Tensor& out, double Step::*factor) {
      const at::Tensor of_rows =
          step_numbers(batch.table, rows.step, [&](const Step& step) { return step.*factor; });
      out.narrow(1, first, part).copy_(density(rows.old_mean, pretrained, of_rows).view({times, part}));
    };
    store(batch.kl_step, &Step::girsanov);
    store(batch.kl_chain_step, &Step::chain);
  }
}

at::Tensor integrate(const Trajectories& batch, const at::Tensor& per_step) {
  at::Tensor out = at::empty({per_step.size(1)}, per_step.options());
  {
    bridge::Input<double> d(per_step), w(batch.times.weight);
    bridge::Output<double> o(out);
    kernels::path_kl_integral(bridge::stream_of(per_step), d.rows(), w.rows(), o.span());
  }
  return out;
}

namespace {

/// Steps at the end that estimate_path_kl always evaluates.
long last_steps(long steps) { return std::max(1L, std::min(steps / 10, steps - 2)); }

} // namespace

long path_kl_evaluations(long samples, long steps) {
  return std::min(samples, kPathKlSamples) * std::min(steps, last_steps(steps) + 2);
}

PathKl estimate_path_kl(const Trajectories& batch, ScorePolicy& policy, const Communicator& ranks,
                        long samples) {
  Trajectories few; // views of the first samples; those that another rank holds are that rank's to evaluate
  const long mine = std::clamp(samples - batch.shard.first, 0L, batch.samples());
  few.table = batch.table;
  few.actions = batch.actions;
  few.shard = {samples, mine, batch.shard.first, mine};
  std::vector<double> path, chain;
  const long last = last_steps(batch.steps());
  if (mine > 0) {
    few.x = batch.x.narrow(1, 0, mine);
    few.action = batch.action.narrow(1, 0, mine);
    few.mean = batch.mean.narrow(1, 0, mine);
    few.prompt = batch.prompt.narrow(0, 0, mine);
    std::vector<double> uniforms;
    for (long k = 0; k < last + 2; ++k)
      uniforms.push_back(kernels::uniform_at({batch.seed, batch.epoch, 1, kernels::Purpose::time}, 0,
                                             static_cast<std::uint32_t>(k)));
    const at::Device device = batch.x.device();
    few.times = batch.steps() > last + 2
                    ? shared_times(stratified_subset(batch.steps(), last + 2, last, uniforms), mine, device)
                    : all_times(batch.steps(), mine, device);
    // a network's bits may depend on its batch: a fixed number of rows a call, whatever this rank holds
    attach_pretrained(few, policy, std::gcd(samples, batch.shard.micro_batch));
    const at::Tensor p = integrate(few, few.kl_step).to(at::kCPU),
                     c = integrate(few, few.kl_chain_step).to(at::kCPU);
    path.assign(p.data_ptr<double>(), p.data_ptr<double>() + mine);
    chain.assign(c.data_ptr<double>(), c.data_ptr<double>() + mine);
  }
  PathKl kl{ranks.gather_in_order(path), ranks.gather_in_order(chain), 0};
  kl.network_evaluations = static_cast<long>(kl.path.size()) * std::min(batch.steps(), last + 2);
  return kl;
}

} // namespace scoreact
