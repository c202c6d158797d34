#include "verification/check_row.hpp"

#include <cmath>
#include <limits>

namespace scoreact::verification {

double CheckRow::z() const {
  if (estimate == exact) {
    return 0;
  }
  const double width = std::hypot(standard_error, 1e-6 * scale);
  return width > 0 ? (estimate - exact) / width : std::numeric_limits<double>::infinity();
}

bool CheckRow::pass() const { return std::abs(z()) <= 4; } // false for NaN

MeanError mean_and_error(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) {
    mean += value / n;
  }
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return {mean, values.size() > 1 ? std::sqrt(squares / (n * (n - 1))) : 0.0};
}

} // namespace scoreact::verification
