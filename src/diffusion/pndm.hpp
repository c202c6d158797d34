#pragma once
/// PNDM (Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds") as diffusers computes
/// it with skip_prk_steps, the sampler of Stable Diffusion 1.x: a linear multistep method on the network's
/// outputs. It keeps a state and is no Markov chain, so it has no log-probability and no step table: for
/// drawing only.
#include "diffusion/schedule.hpp"

#include <vector>

namespace scoreact {

/// One network call and the step after it:
///     mixed = sum_j weight[j] output[j]     output[0] the newest one that is kept
///     next = keep * from + push * eps(mixed)
struct PndmStep {
  long timestep = 0;          ///< of the network call
  double abar = 1;            ///< there
  double abar_from = 1;       ///< of the state that the step starts from: eps(mixed) is taken there
  double keep = 1, push = 0;  ///< formula (9) of the paper: a DDIM step without noise
  std::vector<double> weight; ///< newest output first
  bool remembers = true;   ///< the output joins the kept ones; the second call refines the first step instead
  bool from_first = false; ///< the step starts from the state of the first call, not from the present one
};

/// The calls of `num_steps` steps, one more than steps: the second timestep is visited twice. Throws
/// Error{data} if the schedule has too few times.
std::vector<PndmStep> pndm_steps(const Schedule&, long num_steps, long steps_offset, bool end_at_data);

} // namespace scoreact
