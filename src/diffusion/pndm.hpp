#pragma once
/// PNDM (Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds") as diffusers computes
/// it: a linear multistep method on the network's outputs, which begins with three Runge-Kutta steps or, with
/// skip_prk_steps, the way of Stable Diffusion 1.x, without. It keeps a state and is no Markov chain, so it
/// has no log-probability and no step table: for drawing only.
#include "diffusion/schedule.hpp"

#include <string>
#include <vector>

namespace scoreact {

/// Its name on the command line, beside those of the solvers that decks know.
constexpr const char* kPndm = "pndm";

/// One network call and the step after it:
///     mixed = sum_j weight[j] output[j]     output[0] the newest one that is kept
///     next = keep * from + push * eps(mixed)
struct PndmStep {
  long timestep = 0;          ///< of the network call
  double abar = 1;            ///< there
  double abar_from = 1;       ///< of the state that the step starts from: eps(mixed) is taken there
  double keep = 1, push = 0;  ///< formula (9) of the paper: a DDIM step without noise
  std::vector<double> weight; ///< newest output first
  long forgets = 0;           ///< so many of the newest outputs are not kept for later steps
  bool marks = false;         ///< the present state is kept, before the step, for those that start from it
  bool from_marked = false;   ///< the step starts from the marked state, not from the present one
};

/// The calls of `num_steps` steps at the times that diffusers' `spacing` (leading | trailing | linspace)
/// gives. skip_prk_steps: one more than steps, as the second timestep is visited twice; else four for each of
/// the first three steps. Throws Error{data} if the schedule has too few times, or if there are fewer than 4
/// steps with Runge-Kutta ones.
std::vector<PndmStep> pndm_steps(const Schedule&, const std::string& spacing, long num_steps,
                                 long steps_offset, bool end_at_data, bool skip_prk_steps);

} // namespace scoreact
