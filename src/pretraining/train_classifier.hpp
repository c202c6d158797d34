#pragma once
/// Cross-entropy with label smoothing on images with added noise of random strength.
#include "models/classifier/classifier.hpp"
#include "pretraining/pretrain_options.hpp"
#include "pretraining/training_batches.hpp"
#include "pretraining/training_task.hpp"

#include <memory>

namespace scoreact {

class ClassifierTask : public TrainingTask {
 public:
  ClassifierTask(std::shared_ptr<Classifier> classifier, TrainingBatches training, TrainingBatches held_out,
                 const PretrainOptions&);
  std::vector<ParameterGroup> parameters() override;
  at::Tensor loss(const BatchRows&) override;
  /// test_accuracy and test_log_likelihood of the held-out images.
  std::vector<MetricInfo> figures() const override;
  std::vector<double> held_out() override;
  void save(const std::string& folder) override { classifier_->save(folder); }

 private:
  std::shared_ptr<Classifier> classifier_;
  TrainingBatches training_, held_out_;
  PretrainOptions options_;
};

/// The loss of some rows of a batch: targets (1 - s) one-hot + s / classes; noise sigma_i z with sigma_i
/// uniform in [0, input_noise].
at::Tensor classification_loss(Classifier&, const ImageBatch&, const PretrainOptions&, std::uint64_t seed,
                               const BatchRows&);

struct ClassifierScore {
  double accuracy = 0;       ///< share of images whose likeliest class is their label
  double log_likelihood = 0; ///< mean log p(label | image), nats
};
ClassifierScore evaluate_classifier(Classifier&, const ImageBatch&);

} // namespace scoreact
