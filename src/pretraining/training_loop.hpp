#pragma once
/// The loop that denoisers and classifiers share: AdamW with cosine learning rate, clipping at norm 1, moving
/// average.
#include "models/weights.hpp"
#include "pretraining/train_denoiser.hpp"

namespace scoreact {

/// `loss(i)` gives the scalar loss of iteration i with graph. At the end the tensors of `parameters` hold the
/// average.
void training_loop(const NamedTensors& parameters, const std::function<at::Tensor(long)>& loss,
                   const PretrainOptions&, const Communicator&, const TrainingObserver&);

} // namespace scoreact
