#pragma once
/// What fine-tuning can reach at most: with J = E RM - lambda KL the optimum is
///     J*(lambda) = lambda E_c log E_pre[ exp(RM / lambda) | c ],
/// estimated from samples of the unchanged model alone (docs/mathematics.md section 4). No policy has a
/// larger J with a KL that is at least that of the final states; kl_chain is, kl_path need not be.
#include <cstdint>
#include <vector>

namespace scoreact {

/// log( 1/n sum exp(values) ) without overflow. Throws Error{internal} for no values.
double log_mean_exp(const std::vector<double>& values);

struct Optimum {
  double base_reward = 0; ///< E_pre RM, which is J of the unchanged model
  double optimum_j = 0;   ///< J*; NaN for kl_weight = 0
};

/// `reward` [n] of samples of the unchanged model, `prompt` [n] what each was drawn for. E_c weighs prompts
/// by how often they were drawn.
Optimum attainable_optimum(const std::vector<double>& reward, const std::vector<std::int64_t>& prompt,
                           double kl_weight);

/// (reward - kl_weight kl - base_reward) / (J* - base_reward); NaN where kl or J* is, or where nothing can be
/// gained.
double share_of_gain(const Optimum&, double kl_weight, double reward, double kl);

} // namespace scoreact
