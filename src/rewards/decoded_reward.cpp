#include "rewards/decoded_reward.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

/// f [n] of rows x [n, ...] and its gradient, a few rows at a time.
class RowWise : public torch::autograd::Function<RowWise> {
 public:
  using RowFunction = std::function<at::Tensor(const at::Tensor& rows, long first)>;

  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const RowFunction& f, long together) {
    std::vector<at::Tensor> values, gradients;
    for (long first = 0; first < x.size(0); first += together) {
      const torch::AutoGradMode record(true);
      const at::Tensor rows =
          x.detach().narrow(0, first, std::min(together, x.size(0) - first)).clone().requires_grad_(true);
      const at::Tensor value = f(rows, first);
      gradients.push_back(torch::autograd::grad({value.sum()}, {rows})[0]);
      values.push_back(value.detach());
    }
    context->save_for_backward({at::cat(gradients)});
    return at::cat(values);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& outer) {
    const at::Tensor gradient = context->get_saved_variables()[0];
    std::vector<std::int64_t> by_row(static_cast<std::size_t>(gradient.dim()), 1);
    by_row[0] = gradient.size(0);
    return {gradient * outer[0].view(by_row), {}, {}};
  }
};

class DecodedReward : public Reward {
 public:
  DecodedReward(std::shared_ptr<Reward> inner, const RewardContext& context)
      : inner_(std::move(inner)), to_pixels_(context.to_pixels), together_(context.decoded_together) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    const auto of_rows = [&](const at::Tensor& rows, long first) {
      const at::Tensor prompts = prompt.defined() ? prompt.narrow(0, first, rows.size(0)) : prompt;
      return (*inner_)(to_pixels_(rows), prompts);
    };
    if (inner_->differentiable() && at::GradMode::is_enabled() && x.requires_grad())
      return RowWise::apply(x, of_rows, together_);
    torch::NoGradGuard no_grad;
    std::vector<at::Tensor> values;
    for (long first = 0; first < x.size(0); first += together_)
      values.push_back(of_rows(x.narrow(0, first, std::min(together_, x.size(0) - first)), first));
    return at::cat(values);
  }
  bool differentiable() const override { return inner_->differentiable(); }
  std::string name() const override { return inner_->name(); }

 private:
  std::shared_ptr<Reward> inner_;
  std::function<at::Tensor(const at::Tensor&)> to_pixels_;
  long together_;
};

} // namespace

std::shared_ptr<Reward> make_decoded_reward(std::shared_ptr<Reward> inner, const RewardContext& context) {
  return std::make_shared<DecodedReward>(std::move(inner), context);
}

} // namespace scoreact
