#include "evaluation/judge.hpp"

#include "error/error.hpp"
#include "models/classifier/classifier.hpp"
#include "models/clip/clip_similarity.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

class ClassifierJudge : public Judge {
 public:
  explicit ClassifierJudge(std::shared_ptr<Classifier> classifier) : classifier_(std::move(classifier)) {}

  at::Tensor right(const at::Tensor& x, const at::Tensor& prompt) override {
    return classifier_->logits(x).argmax(1) == prompt;
  }

 private:
  std::shared_ptr<Classifier> classifier_;
};

/// Prompts with the same text are one answer.
class ClipJudge : public Judge {
 public:
  ClipJudge(const std::string& directory, const std::vector<std::string>& different, const at::Tensor& answer,
            const RewardContext& context)
      : similarity_(directory, different, context.device), answer_(answer.to(context.device)),
        to_pixels_(context.to_pixels), together_(context.decoded_together) {}

  at::Tensor right(const at::Tensor& x, const at::Tensor& prompt) override {
    std::vector<at::Tensor> nearest;
    for (const at::Tensor& rows : x.split(together_)) {
      nearest.push_back(
          at::matmul(similarity_.pictures(to_pixels_(rows)), similarity_.texts().t()).argmax(1));
    }
    return at::cat(nearest) == answer_.index_select(0, prompt.to(answer_.device()));
  }

 private:
  ClipSimilarity similarity_;
  at::Tensor answer_; ///< [prompts] int64 into the different texts
  std::function<at::Tensor(const at::Tensor&)> to_pixels_;
  long together_;
};

std::shared_ptr<Judge> clip_judge(const std::string& directory, const RewardContext& context) {
  std::vector<std::string> different;
  std::vector<std::int64_t> answer;
  for (const std::string& text : context.prompts) {
    const auto found = std::find(different.begin(), different.end(), text);
    answer.push_back(found - different.begin());
    if (found == different.end())
      different.push_back(text);
  }
  return std::make_shared<ClipJudge>(directory, different, at::tensor(answer, at::kLong), context);
}

} // namespace

std::shared_ptr<Judge> make_judge(const std::string& directory, const std::vector<long>& sample_shape,
                                  long num_classes, const RewardContext& context) {
  if (!context.prompts.empty() && context.to_pixels)
    return clip_judge(directory, context);
  auto classifier = Classifier::load(directory, context.device);
  const ClassifierConfig& config = classifier->config();
  SCOREACT_REQUIRE(
      (sample_shape == std::vector<long>{config.in_channels, config.height, config.width}), ExitCode::data,
      "evaluate.judge = {}: this classifier judges pictures of {} x {} x {}, the model draws others",
      directory, config.in_channels, config.height, config.width);
  SCOREACT_REQUIRE(
      num_classes > 0, ExitCode::data,
      "evaluate.judge = {}: expected a class-conditional model, this one has no classes to judge by",
      directory);
  return std::make_shared<ClassifierJudge>(std::move(classifier));
}

} // namespace scoreact
