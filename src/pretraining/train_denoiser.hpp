#pragma once
/// Denoising score matching (Ho et al. 2020, eq. 14): minimise E |eps - eps_theta(alpha x + sigma eps, i,
/// c)|^2 over uniform times i = 0..N-1, with labels dropped to the null condition for classifier-free
/// guidance.
#include "models/pixel_unet/pixel_unet.hpp"
#include "pretraining/pretrain_options.hpp"
#include "pretraining/training_batches.hpp"
#include "pretraining/training_task.hpp"

#include <memory>

namespace scoreact {

class DenoiserTask : public TrainingTask {
 public:
  /// Throws Error{data} unless the model predicts eps.
  DenoiserTask(std::shared_ptr<PixelUnet> model, TrainingBatches training, TrainingBatches held_out,
               const PretrainOptions&);
  std::vector<ParameterGroup> parameters() override;
  at::Tensor loss(const BatchRows&) override;
  /// test_loss: the loss of all held-out images, none of their labels dropped.
  std::vector<MetricInfo> figures() const override;
  std::vector<double> held_out() override;
  /// Eight of each class (64 of an unconditional model) by DDIM in 20 steps.
  at::Tensor samples() override;
  long columns() const override;
  void save(const std::string& folder) override { model_->save(folder); }

 private:
  std::shared_ptr<PixelUnet> model_;
  TrainingBatches training_, held_out_;
  PretrainOptions options_;
};

/// The loss of some rows of a batch, a scalar with graph.
at::Tensor denoising_loss(PixelUnet& model, const ImageBatch&, double label_dropout, std::uint64_t seed,
                          const BatchRows&);

} // namespace scoreact
