#include "rewards/weighted_sum.hpp"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

class WeightedSum : public Reward {
 public:
  explicit WeightedSum(std::vector<WeightedReward> terms) : terms_(std::move(terms)) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    at::Tensor sum = torch::zeros({x.size(0)}, x.options().dtype(torch::kFloat32));
    for (const WeightedReward& term : terms_) {
      sum = sum + term.weight * (*term.reward)(x, prompt);
    }
    return sum;
  }
  bool differentiable() const override {
    return std::all_of(terms_.begin(), terms_.end(),
                       [](const auto& term) { return term.reward->differentiable(); });
  }
  std::string name() const override {
    std::string text;
    for (const WeightedReward& term : terms_) {
      text += fmt::format("{}{} {}", text.empty() ? "" : " + ", term.weight, term.reward->name());
    }
    return text;
  }

 private:
  std::vector<WeightedReward> terms_;
};

} // namespace

std::shared_ptr<Reward> make_weighted_sum(std::vector<WeightedReward> terms) {
  return std::make_shared<WeightedSum>(std::move(terms));
}

} // namespace scoreact
