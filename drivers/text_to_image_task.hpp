#pragma once
/// From a deck with network.kind = text_to_image to its task.
#include "pretraining_tasks.hpp"

namespace scoreact {

/// Reads pictures and captions, makes or reads the tokenizer, encodes the pictures. Collective. Throws
/// Error{missing_input | data}.
std::unique_ptr<TrainingTask> text_to_image_task(const Deck&, c10::Device, const PretrainingPlace&);

} // namespace scoreact
