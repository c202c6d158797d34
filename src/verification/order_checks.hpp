#pragma once
/// Convergence in the number of steps, without Monte Carlo: laws, derivatives and estimators of the discrete
/// chain against the continuous-time formulas G2, G4 and G6, on grids of 64, 128 steps; the row holds the
/// order log2(error_64 / error_128).
#include "verification/check_row.hpp"

namespace scoreact::verification {

CheckRows order_checks();

} // namespace scoreact::verification
