#pragma once
/// Cross-entropy with label smoothing on images with added noise of random strength.
#include "models/classifier/classifier.hpp"
#include "pretraining/train_denoiser.hpp"

namespace scoreact {

/// Trains in place; afterwards the classifier holds the moving average of its parameters (if ema_decay > 0).
void train_classifier(Classifier&, const TrainingBatches&, const PretrainOptions&, const Communicator&,
                      const TrainingObserver&);

/// The loss of one batch: targets (1 - s) one-hot + s / classes; noise sigma_i z with sigma_i uniform in [0,
/// input_noise].
at::Tensor classification_loss(Classifier&, const ImageBatch&, const PretrainOptions&, std::uint64_t seed,
                               long iteration);

struct ClassifierScore {
  double accuracy = 0;       ///< share of images whose likeliest class is their label
  double log_likelihood = 0; ///< mean log p(label | image), nats
};
ClassifierScore evaluate_classifier(Classifier&, const ImageBatch&);

} // namespace scoreact
