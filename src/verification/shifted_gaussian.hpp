#pragma once
/// The policy of G4 as a denoiser: s(tau, x) = s_pre(tau, x) + theta phi(tau) u with the exact score of
/// Gaussian data. Every sample has a theta of its own (its number is its prompt), all with the same value:
/// one backward pass of the library then leaves the gradient estimate of every sample, and so the estimate's
/// standard error.
#include "models/denoiser.hpp"
#include "verification/exact_chain.hpp"

namespace scoreact::verification {

class ShiftedGaussian final : public Denoiser {
 public:
  /// theta = 0: the pretrained model.
  ShiftedGaussian(Point mean, double std, Point direction, Profile phi, Schedule schedule, long samples);
  void set_theta(double theta);

  /// x [rows, d] fp32, prompt [rows] int64 in 0..samples-1.
  at::Tensor predict(const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt) override;
  Prediction prediction() const override { return Prediction::score; }
  std::vector<long> sample_shape() const override { return {static_cast<long>(mean_.size())}; }
  const Schedule& schedule() const override { return schedule_; }
  long num_prompts() const override { return 0; }
  std::vector<std::pair<std::string, at::Tensor>> named_parameters() override { return {{"theta", theta_}}; }
  std::shared_ptr<Denoiser> frozen_copy() const override;
  void save(const std::string& directory) const override;

 private:
  Point mean_;
  double std_;
  Point direction_;
  Profile phi_;
  Schedule schedule_;
  at::Tensor theta_; ///< [samples] fp32
};

} // namespace scoreact::verification
