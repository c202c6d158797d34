#include "pretraining/train_denoiser.hpp"

#include "error/error.hpp"
#include "pretraining/training_samples.hpp"

#include <torch/torch.h>

namespace scoreact {

at::Tensor denoising_loss(PixelUnet& model, const ImageBatch& batch, double label_dropout, std::uint64_t seed,
                          const BatchRows& rows) {
  const at::Tensor& x = batch.images;
  const Schedule& schedule = model.schedule();
  const at::Tensor time = random_integers(seed, rows.iteration, 1, rows.first, x.size(0), schedule.size());
  const at::Tensor abar =
      torch::tensor(schedule.alphas_cumprod()).index_select(0, time).view({-1, 1, 1, 1}).to(x.device());
  const at::Tensor alpha = abar.sqrt().to(torch::kFloat32), sigma = (1 - abar).sqrt().to(torch::kFloat32);
  const at::Tensor noise = random_normal_like(x, seed, rows.iteration, rows.first);
  const at::Tensor timestep = time.to(x.device(), torch::kFloat32);
  at::Tensor labels;
  if (model.num_prompts() > 0) {
    const at::Tensor dropped =
        (random_uniform(seed, rows.iteration, 2, rows.first, x.size(0)) < label_dropout).to(x.device());
    labels = at::where(dropped, model.num_prompts(), batch.labels);
  }
  return at::mse_loss(model.forward(alpha * x + sigma * noise, timestep, labels), noise);
}

DenoiserTask::DenoiserTask(std::shared_ptr<PixelUnet> model, TrainingBatches training,
                           TrainingBatches held_out, const PretrainOptions& options)
    : model_(std::move(model)), training_(std::move(training)), held_out_(std::move(held_out)),
      options_(options) {
  SCOREACT_REQUIRE(model_->prediction() == Prediction::epsilon, ExitCode::data,
                   "pretrain trains networks that predict eps; this model's prediction_type is another one");
}

std::vector<ParameterGroup> DenoiserTask::parameters() { return {{model_->named_parameters()}}; }

at::Tensor DenoiserTask::loss(const BatchRows& rows) {
  return denoising_loss(*model_, training_.draw(rows), options_.label_dropout, training_.seed(), rows);
}

std::vector<MetricInfo> DenoiserTask::figures() const {
  if (held_out_.count() == 0)
    return {};
  return {{"test_loss", "1", "mean squared error of the noise on held-out images, averaged weights"}};
}

std::vector<double> DenoiserTask::held_out() {
  const BatchRows rows = {options_.iterations, 0, held_out_.count()}; // the same noise every time
  return {denoising_loss(*model_, held_out_.all(), 0.0, held_out_.seed(), rows).item<double>()};
}

at::Tensor DenoiserTask::samples() {
  const at::Tensor labels =
      at::arange(8 * columns(), at::kLong).remainder(std::max(1L, model_->num_prompts()));
  return draw_training_samples(model_, labels.to(held_out_.all().labels.device()), {});
}

long DenoiserTask::columns() const { return std::max(8L, model_->num_prompts()); }

} // namespace scoreact
