#include "pretraining/train_classifier.hpp"

#include <torch/torch.h>

namespace scoreact {

at::Tensor classification_loss(Classifier& classifier, const ImageBatch& batch,
                               const PretrainOptions& options, std::uint64_t seed, const BatchRows& rows) {
  at::Tensor images = batch.images;
  if (options.input_noise > 0) {
    const at::Tensor strength =
        options.input_noise * random_uniform(seed, rows.iteration, 3, rows.first, images.size(0));
    images = images + strength.view({-1, 1, 1, 1}).to(images.device()) *
                          random_normal_like(images, seed, rows.iteration, rows.first);
  }
  const at::Tensor log_prob = classifier.log_prob(images);
  const at::Tensor of_label = log_prob.gather(1, batch.labels.unsqueeze(1)).mean();
  return -(1 - options.label_smoothing) * of_label - options.label_smoothing * log_prob.mean();
}

ClassifierTask::ClassifierTask(std::shared_ptr<Classifier> classifier, TrainingBatches training,
                               TrainingBatches held_out, const PretrainOptions& options)
    : classifier_(std::move(classifier)), training_(std::move(training)), held_out_(std::move(held_out)),
      options_(options) {}

std::vector<ParameterGroup> ClassifierTask::parameters() { return {{classifier_->named_parameters()}}; }

at::Tensor ClassifierTask::loss(const BatchRows& rows) {
  return classification_loss(*classifier_, training_.draw(rows), options_, training_.seed(), rows);
}

std::vector<MetricInfo> ClassifierTask::figures() const {
  if (held_out_.count() == 0)
    return {};
  return {{"test_accuracy", "1", "share of held-out images whose likeliest class is their label"},
          {"test_log_likelihood", "nat", "mean log-probability of a held-out image's label"}};
}

std::vector<double> ClassifierTask::held_out() {
  const ClassifierScore score = evaluate_classifier(*classifier_, held_out_.all());
  return {score.accuracy, score.log_likelihood};
}

ClassifierScore evaluate_classifier(Classifier& classifier, const ImageBatch& batch) {
  torch::NoGradGuard no_grad;
  const at::Tensor log_prob = classifier.log_prob(batch.images);
  return {.accuracy = (log_prob.argmax(1) == batch.labels).to(torch::kFloat64).mean().item<double>(),
          .log_likelihood =
              log_prob.gather(1, batch.labels.unsqueeze(1)).to(torch::kFloat64).mean().item<double>()};
}

} // namespace scoreact
