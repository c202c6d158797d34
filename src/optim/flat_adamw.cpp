#include "optim/flat_adamw.hpp"

#include "bridge/bridge.hpp"
#include "kernels/adamw_ema.hpp"
#include "parallel/tree_sum.hpp"

#include <torch/torch.h>

namespace scoreact {

namespace {
constexpr long kSlice =
    25L << 18; ///< floats of a slice that is summed early: 25 MiB, the bucket of torch's DDP
} // namespace

FlatAdamW::FlatAdamW(FlatParameters parameters, const AdamWOptions& options, const Communicator& ranks,
                     bool deterministic)
    : parameters_(std::move(parameters)), options_(options), ranks_(ranks), deterministic_(deterministic),
      reduction_(deterministic ? nullptr : gradient_reduction(ranks, parameters_.values().device())) {
  if (reduction_ && reduction_->works_by_itself() && parameters_.size() >= 2 * kSlice)
    early_ = std::make_unique<EarlyReduction>(parameters_, *reduction_, kSlice);
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
  if (deterministic_ && (batches.total > 1 || ranks_.size() > 1)) {
    at::Tensor host = gradient; // of a leaf, then of the sum
    if (gradient.is_cuda())
      host = at::empty({gradient.numel()}, gradient.options().device(at::kCPU).pinned_memory(true));
    TreeSum sum(ranks_, batches.total, batches.first, batches.count, length);
    ranks_.together([&] {
      for (long i = 0; i < batches.count; ++i) {
        if (i > 0)
          parameters_.zero_gradient();
        accumulate(i);
        torch::NoGradGuard no_grad;
        if (!host.is_same(gradient))
          host.copy_(gradient);
        sum.add(host.data_ptr<float>());
      }
    });
    sum.finish(host.data_ptr<float>());
    torch::NoGradGuard no_grad;
    if (!host.is_same(gradient))
      parameters_.gradient().copy_(host);
  } else {
    try {
      ranks_.together([&] {
        for (long i = 0; i < batches.count; ++i) {
          if (early_ && i + 1 == batches.count)
            early_->expect_last_pass();
          accumulate(i);
        }
      });
    } catch (...) {
      if (early_)
        early_->abandon();
      throw;
    }
    if (early_)
      early_->finish();
    else if (reduction_)
      reduction_->sum(gradient);
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

std::string FlatAdamW::summed_how() const {
  if (deterministic_)
    return ranks_.size() > 1 ? "in a fixed tree" : "on one rank";
  return reduction_->name() + (early_ ? " during the backward pass" : "");
}

std::vector<std::pair<std::string, at::Tensor>> FlatAdamW::state() const {
  std::vector<std::pair<std::string, at::Tensor>> state = {{"first_moment", first_},
                                                           {"second_moment", second_}};
  if (ema_.defined())
    state.emplace_back("ema", ema_);
  return state;
}

} // namespace scoreact
