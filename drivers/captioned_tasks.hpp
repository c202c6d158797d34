#pragma once
/// From a deck to the networks that `scoreact pretrain` trains on captioned pictures.
#include "data/image_folder.hpp"
#include "pretraining_tasks.hpp"

#include <torch/nn/module.h>

#include <string>

namespace scoreact {

/// Lets an optimizer train a network that was loaded, and so frozen.
void make_trainable(const torch::nn::Module& network);

/// The pictures of [data], all of them. What was skipped is printed as a warning on rank 0. Throws
/// Error{missing_input | data}.
CaptionedPictures captioned_pictures(const Deck&, const PretrainingPlace&);

/// The folder network.tokenizer, or else tokenizer/ in the run's folder, which rank 0 makes from the
/// captions. Collective. Throws Error{data | io}.
std::string tokenizer_folder(const Deck&, const std::vector<std::string>& captions, const PretrainingPlace&);

/// network.kind = autoencoder_kl and autoencoder_kl_decoder. Collective.
std::unique_ptr<TrainingTask> autoencoder_task(const Deck&, c10::Device, const PretrainingPlace&);
/// network.kind = clip. Collective.
std::unique_ptr<TrainingTask> two_towers_task(const Deck&, c10::Device, const PretrainingPlace&);

} // namespace scoreact
