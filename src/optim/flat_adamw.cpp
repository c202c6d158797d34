#include "optim/flat_adamw.hpp"

#include "bridge/bridge.hpp"
#include "error/error.hpp"
#include "kernels/adamw_ema.hpp"
#include "parallel/tree_sum.hpp"

#include <torch/torch.h>

#include <optional>

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
  rates_ = {{parameters_.size(), 1.0}};
}

void FlatAdamW::set_rates(std::vector<RateGroup> groups) {
  long length = 0;
  for (const RateGroup& group : groups)
    length += group.length;
  SCOREACT_REQUIRE(length == parameters_.size(), ExitCode::internal,
                   "learning rates for {} numbers of the {} of the network", length, parameters_.size());
  rates_ = std::move(groups);
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
    std::optional<bridge::Output<float>> ema;
    if (ema_.defined())
      ema.emplace(ema_, bridge::Contents::updated);
    long start = 0;
    for (const RateGroup& group : rates_) {
      const auto part = [&](auto all) {
        all.data += start;
        all.size = group.length;
        return all;
      };
      step.learning_rate = learning_rate * group.factor;
      kernels::adamw_ema(stream, step, norm.span().data, part(p.span()), part(g.span()), part(m.span()),
                         part(v.span()), ema ? part(ema->span()) : kernels::Span<float>{nullptr, 0});
      start += group.length;
    }
  }
  return squared_norm.sqrt();
}

void FlatAdamW::with_average(const std::function<void()>& work) {
  if (!ema_.defined())
    return work();
  torch::NoGradGuard no_grad;
  at::Tensor weights = parameters_.values();
  const at::Tensor trained = weights.clone();
  weights.copy_(ema_);
  try {
    work();
  } catch (...) {
    weights.copy_(trained);
    throw;
  }
  weights.copy_(trained);
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
