#pragma once
/// Identities that hold at any state: score and Tweedie's mean of the tensors against the closed forms (G1,
/// G5), the optimal value and the tilted law against Monte Carlo (G2, G3, G5), and unbiased quadrature on
/// random times (section 2).
#include "verification/check_row.hpp"
#include "verification/verify_options.hpp"

namespace scoreact::verification {

CheckRows identity_checks(const VerifyOptions&);

} // namespace scoreact::verification
