#include "pretraining/train_classifier.hpp"

#include "pretraining/training_loop.hpp"

#include <torch/torch.h>

namespace scoreact {

at::Tensor classification_loss(Classifier& classifier, const ImageBatch& batch,
                               const PretrainOptions& options, std::uint64_t seed, long iteration) {
  at::Tensor images = batch.images;
  if (options.input_noise > 0) {
    const at::Tensor strength = options.input_noise * random_uniform(seed, iteration, 3, images.size(0));
    images = images +
             strength.view({-1, 1, 1, 1}).to(images.device()) * random_normal_like(images, seed, iteration);
  }
  const at::Tensor log_prob = classifier.log_prob(images);
  const at::Tensor of_label = log_prob.gather(1, batch.labels.unsqueeze(1)).mean();
  return -(1 - options.label_smoothing) * of_label - options.label_smoothing * log_prob.mean();
}

void train_classifier(Classifier& classifier, const TrainingBatches& batches, const PretrainOptions& options,
                      const Communicator& ranks, const TrainingObserver& observe) {
  training_loop(
      classifier.named_parameters(),
      [&](long iteration) {
        return classification_loss(classifier, batches.draw(iteration, options.batch_size), options,
                                   batches.seed(), iteration);
      },
      options, ranks, observe);
}

ClassifierScore evaluate_classifier(Classifier& classifier, const ImageBatch& batch) {
  torch::NoGradGuard no_grad;
  const at::Tensor log_prob = classifier.log_prob(batch.images);
  return {.accuracy = (log_prob.argmax(1) == batch.labels).to(torch::kFloat64).mean().item<double>(),
          .log_likelihood =
              log_prob.gather(1, batch.labels.unsqueeze(1)).to(torch::kFloat64).mean().item<double>()};
}

} // namespace scoreact
