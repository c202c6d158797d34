#pragma once
/// What one rollout leaves in memory on one rank: states, actions and means of B samples at K steps, laid out
/// [time][sample][element], and everything that later stages attach.
#include "diffusion/step.hpp"
#include "kernels/trajectory_buffer.hpp"
#include "parallel/shard.hpp"
#include "rl/action.hpp"
#include "rl/chosen_times.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace scoreact {

struct Trajectories {
  StepTable table;
  std::vector<ActionStep> actions; ///< [K]
  Shard shard;                     ///< which samples these are
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;

  at::Tensor x;        ///< [K+1, B, ...] fp32, noise to data
  at::Tensor action;   ///< [K, B, ...] fp32, score units
  at::Tensor mean;     ///< [K, B, ...] fp32, mu of the policy that drew the actions
  at::Tensor log_prob; ///< [K, B] float64, nats, summed over elements
  at::Tensor prompt;   ///< [B] int64
  at::Tensor reward;   ///< [B] float64

  at::Tensor pretrained_mean; ///< [T, B, ...] fp32 at the times below (T = K when all are evaluated)
  ChosenTimes times;          ///< steps that each sample is trained at, with quadrature weights
  at::Tensor kl_step;         ///< [T, B] float64, Girsanov term, nats
  at::Tensor kl_chain_step;   ///< [T, B] float64, exact chain term, nats
  at::Tensor frozen_branch; ///< [T, B] fp32, RM in the value function, which the fit leaves for the advantage
  at::Tensor frozen_gradient; ///< [T, B, ...] fp32, its gradient by the predictor's input, where it is needed
  /// [T, B, ...] fp32, what the frozen layers of the trained branch make of the states; undefined for a small
  /// network. Large: let go when the advantage is known.
  at::Tensor value_features;
  at::Tensor value;     ///< [T, B] float64, where the algorithm has it
  at::Tensor advantage; ///< [T, B] float64, where the algorithm has it
  /// What the advantage was made of, so that a stored rollout can give it again (docs/analysis.md):
  at::Tensor value_difference; ///< [T, B] float64, its value term, for finite differences and increments
  at::Tensor value_gradient;   ///< [T, B, ...] fp32, grad V, for gradient advantages and pathwise updates

  long steps() const { return table.size(); }
  long samples() const { return shard.count; }
  at::Tensor final_state() const { return x[steps()]; }

  /// The memory behind x, action and mean.
  std::shared_ptr<std::vector<kernels::TrajectoryBuffer>> storage;
};

} // namespace scoreact
