#pragma once
/// From a deck to what `scoreact pretrain` trains.
#include "deck/deck.hpp"
#include "pretraining/training_task.hpp"

#include <c10/core/Device.h>

#include <filesystem>
#include <memory>

namespace scoreact {

/// Where a run is at home.
struct PretrainingPlace {
  std::filesystem::path directory; ///< the run's folder
  const Communicator& ranks;
};

/// The task of network.kind, with its data read. Collective. Throws Error{missing_input | data}.
std::unique_ptr<TrainingTask> make_training_task(const Deck&, c10::Device, const PretrainingPlace&);

} // namespace scoreact
