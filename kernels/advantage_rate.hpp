// The action-dependent part of the q-function (paper eq. 5; docs/mathematics.md section 5), per row:
//   rate = drift a . grad V - cost |a - p|^2                                       (plain)
//   rate = drift (a - m) . grad V - cost ( |a - p|^2 - |m - p|^2 - d s^2 )         (centred)
// with drift = 1/2 (1 + chi^2) g^2 and cost = (lambda/2) ((1 + chi^2)/(2 chi))^2 g^2. Centring subtracts the
// mean over the policy: the same policy gradient with less variance. Accumulated in float64; a row's result
// does not depend on how many rows the call has.
#pragma once

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels {

struct AdvantageTerms {
  Span<const double> drift;      ///< [samples]; not read by advantage_rate_from_difference
  Span<const double> cost;       ///< [samples]
  Span<const double> action_std; ///< [samples], s; not read unless centred
  bool centred = true;
};

/// @param action, mean, pretrained, value_gradient [samples, elements]
/// @param rate [samples], out: units of reward per unit of diffusion time
/// Throws std::invalid_argument if shapes differ.
void advantage_rate(Stream, Rows<const float> action, Rows<const float> mean, Rows<const float> pretrained,
                    Rows<const float> value_gradient, AdvantageTerms, Span<double> rate);

/// The same with the first term given: value_difference [samples] is the finite difference of V, already
/// divided by its step h, with the drift factor inside it (and taken from the mean, if centred).
void advantage_rate_from_difference(Stream, Rows<const float> action, Rows<const float> mean,
                                    Rows<const float> pretrained, Span<const double> value_difference,
                                    AdvantageTerms, Span<double> rate);

} // namespace scoreact::kernels
