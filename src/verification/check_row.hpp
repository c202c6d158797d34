#pragma once
/// One line of `scoreact verify`: an estimate, the exact number, and whether they agree.
#include <string>
#include <vector>

namespace scoreact::verification {

struct CheckRow {
  std::string name;
  double estimate = 0, exact = 0;
  /// Standard error of the estimate; for a comparison without randomness a quarter of the tolerance that
  /// docs/verify.md states, so that |z| <= 4 means "within the tolerance".
  double standard_error = 0;
  /// Size of the terms that were added up: rounding of float32 states is allowed 1e-6 of it.
  double scale = 0;

  /// (estimate - exact) / sqrt(standard_error^2 + (1e-6 scale)^2); 0 when they are equal.
  double z() const;
  bool pass() const;
};

/// Mean and standard error of independent numbers.
struct MeanError {
  double mean = 0, standard_error = 0;
};
MeanError mean_and_error(const std::vector<double>&);

using CheckRows = std::vector<CheckRow>;

} // namespace scoreact::verification
