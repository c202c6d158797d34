#include "rl/score_policy.hpp"

#include <torch/torch.h>

namespace scoreact {

ScorePolicy::ScorePolicy(std::shared_ptr<Denoiser> network, double guidance_scale)
    : network_(std::move(network)), pretrained_(network_->frozen_copy()), guidance_scale_(guidance_scale) {}

at::Tensor ScorePolicy::mean(const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt) {
  return score(*network_, x, times, prompt, guidance_scale_);
}

at::Tensor ScorePolicy::pretrained_mean(const at::Tensor& x, const RowTimes& times,
                                        const at::Tensor& prompt) {
  torch::NoGradGuard no_grad;
  return score(*pretrained_, x, times, prompt, guidance_scale_);
}

} // namespace scoreact
