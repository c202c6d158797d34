#include "optim/learning_rate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace scoreact {

double learning_rate(const LearningRateOptions& options, long step) {
  const double warm =
      options.warmup_steps > 0
          ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps))
          : 1.0;
  if (options.schedule == "constant")
    return options.peak * warm;
  const double done = std::clamp(static_cast<double>(step) / std::max(options.total_steps, 1.0), 0.0, 1.0);
  return options.peak * warm * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

} // namespace scoreact
