#include "rewards/polynomial_reward.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <functional>
#include <numeric>

namespace scoreact {
namespace {

long elements(const std::vector<long>& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1L, std::multiplies<>());
}

/// [d] float64 on x's device, from numbers of the deck
at::Tensor as_vector(const std::vector<double>& values, const at::Tensor& x) {
  return torch::tensor(values, torch::kFloat64).to(x.device());
}

class LinearReward : public Reward {
 public:
  explicit LinearReward(std::vector<double> vector) : vector_(std::move(vector)) {}
  at::Tensor operator()(const at::Tensor& x, const at::Tensor&) override {
    return x.flatten(1).to(torch::kFloat64).mv(as_vector(vector_, x)).to(torch::kFloat32);
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "linear"; }

 private:
  std::vector<double> vector_;
};

class QuadraticReward : public Reward {
 public:
  QuadraticReward(double strength, std::vector<double> center)
      : strength_(strength), center_(std::move(center)) {}
  at::Tensor operator()(const at::Tensor& x, const at::Tensor&) override {
    const at::Tensor offset = x.flatten(1).to(torch::kFloat64) - as_vector(center_, x);
    return (-0.5 * strength_ * offset.square().sum(1)).to(torch::kFloat32);
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "quadratic"; }

 private:
  double strength_;
  std::vector<double> center_;
};

} // namespace

std::shared_ptr<Reward> make_linear_reward(const RewardOptions& options,
                                           const std::vector<long>& sample_shape) {
  SCOREACT_REQUIRE(static_cast<long>(options.vector.size()) == elements(sample_shape), ExitCode::data,
                   "reward.vector: expected {} numbers, one an element of a sample, found {}",
                   elements(sample_shape), options.vector.size());
  return std::make_shared<LinearReward>(options.vector);
}

std::shared_ptr<Reward> make_quadratic_reward(const RewardOptions& options,
                                              const std::vector<long>& sample_shape) {
  std::vector<double> center = options.center;
  if (center.empty()) {
    center.assign(static_cast<std::size_t>(elements(sample_shape)), 0.0);
  }
  SCOREACT_REQUIRE(static_cast<long>(center.size()) == elements(sample_shape), ExitCode::data,
                   "reward.center: expected {} numbers, one an element of a sample, or none; found {}",
                   elements(sample_shape), center.size());
  return std::make_shared<QuadraticReward>(options.strength, std::move(center));
}

} // namespace scoreact
