#pragma once
/// The library's own path, rollout -> pretrained mean -> advantage -> update, on the policy of G4: gradient
/// estimates of every solver x grid x action x advantage x baseline x update that is defined, path KLs,
/// rewards, ratios and centred advantages against their exact mean values (docs/mathematics.md sections 4-6).
#include "verification/check_row.hpp"
#include "verification/verify_options.hpp"

namespace scoreact::verification {

CheckRows estimator_checks(const VerifyOptions&);

} // namespace scoreact::verification
