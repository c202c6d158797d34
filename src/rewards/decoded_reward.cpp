#include "rewards/decoded_reward.hpp"

#include "rewards/row_wise.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

at::Tensor part_of(const at::Tensor& prompt, long first, long count) {
  return prompt.defined() ? prompt.narrow(0, first, count) : prompt;
}

/// Of one call of the decoder and what judges its pictures.
long rows_together(const RewardContext& context, const at::Tensor& x) {
  return at::GradMode::is_enabled() && x.requires_grad() ? context.decoded_with_graph
                                                         : context.decoded_together;
}

class DecodedCopy : public TrainableReward {
 public:
  DecodedCopy(std::unique_ptr<TrainableReward> inner, const RewardContext& context)
      : inner_(std::move(inner)), context_(context) {}

  at::Tensor features(const at::Tensor& x) override {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& rows : x.split(rows_together(context_, x)))
      parts.push_back(inner_->features(context_.to_pixels(rows)));
    return at::cat(parts);
  }
  long feature_elements() const override { return inner_->feature_elements(); }
  at::Tensor rear(const at::Tensor& features, const at::Tensor& prompt) override {
    return inner_->rear(features, prompt);
  }
  at::Tensor value(const at::Tensor& x, const at::Tensor& prompt) override {
    return row_wise(
        x,
        [&](const at::Tensor& rows, long first) {
          return inner_->value(context_.to_pixels(rows), part_of(prompt, first, rows.size(0)));
        },
        rows_together(context_, x));
  }
  std::vector<std::pair<std::string, at::Tensor>> parameters() override { return inner_->parameters(); }

 private:
  std::unique_ptr<TrainableReward> inner_;
  RewardContext context_;
};

class DecodedReward : public Reward {
 public:
  DecodedReward(std::shared_ptr<Reward> inner, const RewardContext& context)
      : inner_(std::move(inner)), context_(context) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    const auto of_rows = [&](const at::Tensor& rows, long first) {
      return (*inner_)(context_.to_pixels(rows), part_of(prompt, first, rows.size(0)));
    };
    const torch::AutoGradMode record(inner_->differentiable() && at::GradMode::is_enabled());
    return row_wise(x, of_rows, rows_together(context_, x));
  }
  bool differentiable() const override { return inner_->differentiable(); }
  std::string name() const override { return inner_->name(); }
  std::unique_ptr<TrainableReward> trainable_copy(double frozen_fraction) const override {
    auto copy = inner_->trainable_copy(frozen_fraction);
    return copy ? std::make_unique<DecodedCopy>(std::move(copy), context_) : nullptr;
  }

 private:
  std::shared_ptr<Reward> inner_;
  RewardContext context_;
};

} // namespace

std::shared_ptr<Reward> make_decoded_reward(std::shared_ptr<Reward> inner, const RewardContext& context) {
  return std::make_shared<DecodedReward>(std::move(inner), context);
}

} // namespace scoreact
