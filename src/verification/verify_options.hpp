#pragma once
/// How much `scoreact verify` computes. The defaults take one to two minutes on one core.
#include <cstdint>

namespace scoreact::verification {

struct VerifyOptions {
  long samples = 512;            ///< trajectories behind every Monte Carlo row
  long num_steps = 12;           ///< steps of the chains whose estimators are checked
  std::uint64_t seed = 20260101; ///< every random number follows from it
};

} // namespace scoreact::verification
