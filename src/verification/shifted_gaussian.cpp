#include "verification/shifted_gaussian.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <utility>

namespace scoreact::verification {

ShiftedGaussian::ShiftedGaussian(Point mean, double std, Point direction, Profile phi, Schedule schedule,
                                 long samples)
    : mean_(std::move(mean)), std_(std), direction_(std::move(direction)), phi_(phi),
      schedule_(std::move(schedule)), theta_(torch::zeros({samples}).set_requires_grad(true)) {}

void ShiftedGaussian::set_theta(double theta) {
  torch::NoGradGuard no_grad;
  theta_.fill_(theta);
}

at::Tensor ShiftedGaussian::predict(const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt) {
  const auto state = x.to(torch::kFloat64);
  const auto alpha = times.alpha.to(torch::kFloat64).unsqueeze(1);
  const auto sigma = times.sigma.to(torch::kFloat64).unsqueeze(1);
  const auto tau = times.tau.to(torch::kFloat64);
  const auto mean = torch::tensor(mean_, state.options());
  const auto direction = torch::tensor(direction_, state.options());
  const auto pretrained = (alpha * mean - state) / (alpha.square() * (std_ * std_) + sigma.square());
  const auto phi = phi_.constant + tau * (phi_.linear + tau * phi_.quadratic);
  const auto push = theta_.index_select(0, prompt).to(torch::kFloat64) * phi;
  return (pretrained + push.unsqueeze(1) * direction).to(torch::kFloat32);
}

std::shared_ptr<Denoiser> ShiftedGaussian::frozen_copy() const {
  auto copy = std::make_shared<ShiftedGaussian>(*this);
  copy->theta_ = theta_.detach().clone();
  return copy;
}

void ShiftedGaussian::save(const std::string& directory) const {
  SCOREACT_FAIL(ExitCode::internal, "{}: the policy of the closed forms is not saved", directory);
}

} // namespace scoreact::verification
