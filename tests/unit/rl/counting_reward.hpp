#pragma once
#include "rewards/reward.hpp"

#include <memory>
#include <string>
#include <utility>

namespace scoreact::testing_support {

/// Another reward, and how many states it was asked about.
class CountingReward : public Reward {
 public:
  explicit CountingReward(std::shared_ptr<Reward> reward) : reward_(std::move(reward)) {}
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    states += x.size(0);
    return (*reward_)(x, prompt);
  }
  bool differentiable() const override { return reward_->differentiable(); }
  std::string name() const override { return reward_->name(); }
  long states = 0;

 private:
  std::shared_ptr<Reward> reward_;
};

} // namespace scoreact::testing_support
