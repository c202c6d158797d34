#pragma once
/// Time grids: the noise times at which the network is evaluated, from noise to data, and where the last step
/// ends. "leading", "trailing" and "linspace" reproduce diffusers' index grids; the others live on the
/// continuous schedule. (docs/mathematics.md section 2)
#include "diffusion/schedule.hpp"

#include <string>
#include <vector>

namespace scoreact {

struct GridOptions {
  std::string kind =
      "leading"; ///< leading | trailing | linspace | uniform | quadratic | log_snr | karras | stratified
  long num_steps = 50;
  long steps_offset = 1;    ///< diffusers' steps_offset of "leading"
  bool end_at_data = false; ///< last step ends at abar = 1 (diffusers' set_alpha_to_one) instead of abar_0
  double rho = 7.0;         ///< karras
  std::vector<double> cell_uniforms = {}; ///< stratified: one uniform number a cell, num_steps of them
};

/// Nodes in noise time. tau[k], k = 0..K-1, is where step k evaluates the network; it ends at tau[k+1].
struct Grid {
  std::string kind;
  std::vector<double> tau;  ///< [K+1], decreasing
  std::vector<double> abar; ///< [K+1], increasing; abar[K] is the final abar
};

/// Throws Error{data} for an unknown kind or more steps than the schedule has times.
Grid make_grid(const Schedule&, const GridOptions&);

/// A grid through given training times, noise to data (diffusers' custom timesteps). It ends at abar = 1 with
/// end_at_data or when the last of them is 0 (no less noise is in the table), else at abar_0. Throws
/// Error{data} unless they decrease.
Grid grid_from_timesteps(const Schedule&, const std::vector<long>& timesteps, bool end_at_data);

/// Index timesteps of diffusers' spacing rules ("leading", "trailing", "linspace"), noise to data.
std::vector<long> index_timesteps(const std::string& spacing, long num_train_timesteps, long num_steps,
                                  long steps_offset);

/// Index timesteps of diffusers' own scheduler of a solver, noise to data. Those of DPM-Solver++ (dpmpp_2m,
/// dpmpp_2m_sde) divide the times into one part more than the others and leave the cleanest out. Throws
/// Error{data}.
std::vector<long> scheduler_timesteps(const std::string& solver, const std::string& spacing,
                                      long num_train_timesteps, long num_steps, long steps_offset);

/// Quadrature on a random subset of K of N grid steps: one step drawn uniformly in each of K strata of equal
/// size (up to one step), so that sum_k weight_k f(step_k) is an unbiased estimate of sum over all N steps of
/// f.
struct StepSubset {
  std::vector<long> step;     ///< [K], increasing
  std::vector<double> weight; ///< [K], inverse probability of the draw
};
/// `uniforms` has K numbers in [0, 1). `always_last` steps at the data end form strata of their own (weight
/// 1): the path KL of a drifting policy sits there (docs/studies/digits.md).
StepSubset stratified_subset(long num_steps, long num_drawn, long always_last,
                             const std::vector<double>& uniforms);

} // namespace scoreact
