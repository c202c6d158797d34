#include "rewards/classifier_reward.hpp"

#include "error/error.hpp"
#include "models/classifier/classifier.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

class ClassifierReward : public Reward {
 public:
  explicit ClassifierReward(std::shared_ptr<Classifier> classifier) : classifier_(std::move(classifier)) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    SCOREACT_REQUIRE(
        prompt.defined(), ExitCode::data,
        "reward.kind = classifier: the reward is log p(class | x), but this model has no classes");
    if (device_ != x.device()) {
      classifier_->to(x.device());
      device_ = x.device();
    }
    return classifier_->log_prob(x).gather(1, prompt.unsqueeze(1)).squeeze(1);
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "classifier"; }

 private:
  std::shared_ptr<Classifier> classifier_;
  c10::Device device_ = c10::Device(c10::kCPU);
};

} // namespace

std::shared_ptr<Reward> make_classifier_reward(const std::string& directory,
                                               const std::vector<long>& sample_shape) {
  auto classifier = Classifier::load(directory);
  const ClassifierConfig& config = classifier->config();
  const std::vector<long> expected = {config.in_channels, config.height, config.width};
  SCOREACT_REQUIRE(sample_shape == expected, ExitCode::data,
                   "reward.path = {}: this classifier judges samples of shape [{}], the model draws [{}]",
                   directory, fmt::join(expected, ", "), fmt::join(sample_shape, ", "));
  return std::make_shared<ClassifierReward>(std::move(classifier));
}

} // namespace scoreact
