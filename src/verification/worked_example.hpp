#pragma once
/// The numbers of the example whose chains, gradients and orders of convergence are checked against closed
/// forms: data N(kMean, kStd^2 I) and the policy s_pre + kTheta kPhi(tau) kDirection (docs/mathematics.md
/// section 6, G1-G4).
#include "verification/exact_chain.hpp"

namespace scoreact::verification {

inline const Point kMean{0.6, -0.4};
inline const Point kDirection{0.5, 0.7};
inline constexpr Profile kPhi{0.6, 1.0, -0.8};
inline constexpr double kStd = 0.8;
inline constexpr double kTheta = 0.4;
inline constexpr double kKlWeight = 0.5;

} // namespace scoreact::verification
