#pragma once
/// CTRL from end to end on analytic models: the law, the reward, the path KL and the objective that
/// fine-tuning reaches, against the tilted law (docs/mathematics.md section 6, G2, G3, G5). Tolerances:
/// docs/verify.md.
#include "verification/check_row.hpp"
#include "verification/verify_options.hpp"

namespace scoreact::verification {

CheckRows fine_tuning_checks(const VerifyOptions&);

} // namespace scoreact::verification
