#pragma once
/// Learning rate of an update: linear warm-up, then constant or a half cosine to 0 at the run's last update.
#include <string>

namespace scoreact {

struct LearningRateOptions {
  double peak = 3e-4;
  std::string schedule = "constant"; ///< constant | cosine
  long warmup_steps = 0;             ///< optimiser updates
  double total_steps = 1;            ///< optimiser updates of the whole run
};

/// `step` counts updates from 0.
double learning_rate(const LearningRateOptions&, long step);

} // namespace scoreact
