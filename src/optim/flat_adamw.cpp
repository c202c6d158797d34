#include "optim/flat_adamw.hpp"

#include "bridge/bridge.hpp"
#include "kernels/adamw_ema.hpp"
#include "parallel/tree_sum.hpp"

#include <torch/torch.h>

namespace scoreact {

FlatAdamW::FlatAdamW(FlatParameters parameters, const AdamWOptions& options, const Communicator& ranks,
                     bool deterministic)
    : parameters_(std::move(parameters)), options_(options), ranks_(ranks), deterministic_(deterministic) {
  first_ = at::zeros_like(parameters_.values());
  second_ = at::zeros_like(parameters_.values());
  if (options_.ema_decay > 0)
    ema_ = parameters_.values().detach().clone();
}

at::Tensor FlatAdamW::update(const MicroBatches& batches, double learning_rate,
                             const std::function<void(long)>& accumulate) {
  const at::Tensor& gradient = parameters_.gradient();
  const auto length = static_cast<std::size_t>(gradient.numel());
  parameters_.zero_gradient();
  if (deterministic_ && batches.total > 1) {
    TreeSum sum(ranks_, batches.total, batches.first, batches.count, length);
    for (long i = 0; i < batches.count; ++i) {
      if (i > 0)
        parameters_.zero_gradient();
      accumulate(i);
      sum.add(gradient.to(at::kCPU).data_ptr<float>());
    }
    at::Tensor total = at::empty({gradient.numel()}, at::kFloat);
    sum.finish(total.data_ptr<float>());
    torch::NoGradGuard no_grad;
    parameters_.gradient().copy_(total);
  } else {
    for (long i = 0; i < batches.count; ++i)
      accumulate(i);
    at::Tensor host = gradient.to(at::kCPU);
    ranks_.sum(host.data_ptr<float>(), length);
    torch::NoGradGuard no_grad;
    if (!host.is_same(gradient))
      parameters_.gradient().copy_(host);
  }

  at::Tensor squared_norm = at::zeros({1}, gradient.options().dtype(at::kDouble));
  const auto stream = bridge::stream_of(gradient);
  {
    bridge::Input<float> g(gradient);
    bridge::Output<double> norm(squared_norm, bridge::Contents::updated);
    kernels::squared_norm(stream, g.span(), norm.span().data);
    bridge::Output<float> p(parameters_.values(), bridge::Contents::updated),
        m(first_, bridge::Contents::updated), v(second_, bridge::Contents::updated);
    kernels::AdamWStep step{learning_rate,
                            options_.beta1,
                            options_.beta2,
                            options_.epsilon,
                            options_.weight_decay,
                            ++steps_,
                            1.0,
                            options_.max_grad_norm,
                            options_.ema_decay};
    if (ema_.defined()) {
      bridge::Output<float> ema(ema_, bridge::Contents::updated);
      kernels::adamw_ema(stream, step, norm.span().data, p.span(), g.span(), m.span(), v.span(), ema.span());
    } else {
      kernels::adamw_ema(stream, step, norm.span().data, p.span(), g.span(), m.span(), v.span(),
                         {nullptr, 0});
    }
  }
  return squared_norm.sqrt();
}

std::vector<std::pair<std::string, at::Tensor>> FlatAdamW::state() const {
  std::vector<std::pair<std::string, at::Tensor>> state = {{"first_moment", first_},
                                                           {"second_moment", second_}};
  if (ema_.defined())
    state.emplace_back("ema", ema_);
  return state;
}

} // namespace scoreact
