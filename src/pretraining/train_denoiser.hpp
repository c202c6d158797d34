#pragma once
/// Denoising score matching (Ho et al. 2020, eq. 14): minimise E |eps - eps_theta(alpha x + sigma eps, i,
/// c)|^2 over uniform times i = 0..N-1, with labels dropped to the null condition for classifier-free
/// guidance.
#include "models/pixel_unet/pixel_unet.hpp"
#include "parallel/communicator.hpp"
#include "pretraining/pretrain_options.hpp"
#include "pretraining/training_batches.hpp"

#include <functional>

namespace scoreact {

/// What a training loop tells once every log_freq iterations.
struct TrainingReport {
  long iteration = 0; ///< updates done
  double loss = 0;    ///< mean over the iterations since the last report
  double learning_rate = 0;
  double grad_norm = 0; ///< mean since the last report, before clipping
};
using TrainingObserver = std::function<void(const TrainingReport&)>;

/// Trains `model` in place; afterwards it holds the moving average of its parameters (if ema_decay > 0). The
/// model must predict eps.
void train_denoiser(PixelUnet& model, const TrainingBatches&, const PretrainOptions&, const Communicator&,
                    const TrainingObserver&);

/// The loss of one batch, a scalar with graph.
at::Tensor denoising_loss(PixelUnet& model, const ImageBatch&, double label_dropout, std::uint64_t seed,
                          long iteration);

} // namespace scoreact
