// Count, mean and centred second moment per group (per prompt), and their exact merge (Chan, Golub, LeVeque
// 1983): the statistics of a run do not depend on how its samples were split over calls or ranks, up to
// rounding.
#pragma once

#include <cstdint>

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

struct Moments {
  double count = 0;
  double mean = 0;
  double m2 = 0; ///< sum of (value - mean)^2
};

/// Moments of the union of two disjoint sets.
inline Moments merge(Moments a, Moments b) {
  const double count = a.count + b.count;
  if (count == 0) {
    return {};
  }
  const double difference = b.mean - a.mean;
  return {count, a.mean + difference * (b.count / count),
          a.m2 + b.m2 + difference * difference * (a.count * b.count / count)};
}

/// @param values [n];  group [n], index into moments; a value whose index is outside [0, groups) is left out
/// @param moments [groups], out; an empty group has count 0, mean 0, m2 0
/// Throws std::invalid_argument if sizes differ.
void grouped_moments(Stream, Span<const double> values, Span<const std::int32_t> group,
                     Span<Moments> moments);

} // namespace scoreact::kernels
