#include "pretraining/train_denoiser.hpp"

#include "error/error.hpp"
#include "pretraining/training_loop.hpp"

#include <torch/torch.h>

namespace scoreact {

at::Tensor denoising_loss(PixelUnet& model, const ImageBatch& batch, double label_dropout, std::uint64_t seed,
                          long iteration) {
  const at::Tensor& x = batch.images;
  const Schedule& schedule = model.schedule();
  const at::Tensor time = random_integers(seed, iteration, 1, x.size(0), schedule.size());
  const at::Tensor abar =
      torch::tensor(schedule.alphas_cumprod()).index_select(0, time).view({-1, 1, 1, 1}).to(x.device());
  const at::Tensor alpha = abar.sqrt().to(torch::kFloat32), sigma = (1 - abar).sqrt().to(torch::kFloat32);
  const at::Tensor noise = random_normal_like(x, seed, iteration);
  const at::Tensor timestep = time.to(x.device(), torch::kFloat32);
  at::Tensor labels;
  if (model.num_prompts() > 0) {
    const at::Tensor dropped = (random_uniform(seed, iteration, 2, x.size(0)) < label_dropout).to(x.device());
    labels = at::where(dropped, model.num_prompts(), batch.labels);
  }
  return at::mse_loss(model.forward(alpha * x + sigma * noise, timestep, labels), noise);
}

void train_denoiser(PixelUnet& model, const TrainingBatches& batches, const PretrainOptions& options,
                    const Communicator& ranks, const TrainingObserver& observe) {
  SCOREACT_REQUIRE(model.prediction() == Prediction::epsilon, ExitCode::data,
                   "pretrain trains networks that predict eps; this model's prediction_type is another one");
  training_loop(
      model.named_parameters(),
      [&](long iteration) {
        return denoising_loss(model, batches.draw(iteration, options.batch_size), options.label_dropout,
                              batches.seed(), iteration);
      },
      options, ranks, observe);
}

} // namespace scoreact
