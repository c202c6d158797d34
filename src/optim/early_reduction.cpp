#include "optim/early_reduction.hpp"

#include "error/error.hpp"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>

namespace scoreact {

struct EarlyReduction::Hook final : torch::autograd::PostAccumulateGradHook {
  Hook(EarlyReduction& owner, std::size_t parameter) : owner_(owner), parameter_(parameter) {}
  void operator()(const torch::autograd::Variable&) override { owner_.ready(parameter_); }

 private:
  EarlyReduction& owner_;
  std::size_t parameter_;
};

EarlyReduction::EarlyReduction(const FlatParameters& parameters, GradientReduction& reduction, long slice)
    : gradient_(parameters.gradient()), reduction_(reduction), slice_of_(parameters.named().size()),
      seen_(parameters.named().size()) {
  long end = gradient_.numel();
  for (std::size_t i = parameters.named().size(); i-- > 0;) {
    const long length = parameters.named()[i].second.numel();
    if (slices_.empty() || slices_.back().length >= slice)
      slices_.push_back({end, 0});
    Slice& last = slices_.back();
    last.first = end -= length;
    last.length += length;
    ++last.parameters;
    slice_of_[i] = slices_.size() - 1;
  }
  for (std::size_t i = 0; i < parameters.named().size(); ++i) {
    parameters_.push_back(parameters.named()[i].second);
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_[i], std::make_unique<Hook>(*this, i));
  }
}

EarlyReduction::~EarlyReduction() {
  for (const at::Tensor& parameter : parameters_)
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
}

void EarlyReduction::ready(std::size_t parameter) {
  if (!armed_)
    return;
  SCOREACT_REQUIRE(!seen_[parameter], ExitCode::internal,
                   "parameter {} got two gradients in what was announced as the last backward pass",
                   parameter);
  seen_[parameter] = true;
  ++slices_[slice_of_[parameter]].ready;
  while (next_ < slices_.size() && slices_[next_].ready == slices_[next_].parameters)
    start_next();
}

void EarlyReduction::start_next() {
  const Slice& slice = slices_[next_++];
  reduction_.start(gradient_.narrow(0, slice.first, slice.length));
}

void EarlyReduction::finish() {
  while (next_ < slices_.size())
    start_next();
  reduction_.finish();
  reset();
}

void EarlyReduction::abandon() {
  if (next_ > 0)
    reduction_.abandon();
  reset();
}

void EarlyReduction::reset() {
  armed_ = false;
  next_ = 0;
  std::fill(seen_.begin(), seen_.end(), false);
  for (Slice& slice : slices_)
    slice.ready = 0;
}

} // namespace scoreact
