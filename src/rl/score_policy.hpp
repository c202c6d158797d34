#pragma once
/// The policy mean mu_theta(tau, x, c) = (guided) network score, and the pretrained mean beside it (paper eq.
/// 13 and 16).
#include "models/denoiser.hpp"

namespace scoreact {

class ScorePolicy {
 public:
  /// Takes the trainable network; keeps a frozen twin of its present weights as the pretrained mean.
  ScorePolicy(std::shared_ptr<Denoiser> network, double guidance_scale);
  /// mu_theta [rows, ...] fp32; records a graph when grad mode is on.
  at::Tensor mean(const at::Tensor& x, const RowTimes&, const at::Tensor& prompt);
  /// mu_pre [rows, ...] fp32, without a graph.
  at::Tensor pretrained_mean(const at::Tensor& x, const RowTimes&, const at::Tensor& prompt);
  Denoiser& network() { return *network_; }
  const Schedule& schedule() const { return network_->schedule(); }
  std::vector<long> sample_shape() const { return network_->sample_shape(); }
  double guidance_scale() const { return guidance_scale_; }

 private:
  std::shared_ptr<Denoiser> network_, pretrained_;
  double guidance_scale_;
};

} // namespace scoreact
