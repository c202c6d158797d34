#pragma once
/// Drawing from a policy as it is used, not trained: the score is the policy's mean and all noise of a step
/// is the solver's own. For action = transition this is the law of the training rollout; for action = score
/// it is that law without exploration (docs/mathematics.md section 3).
#include "diffusion/step.hpp"
#include "parallel/shard.hpp"
#include "rl/action.hpp"

#include <vector>

namespace scoreact {

/// One entry a step: no exploration, the step's spread as Brownian noise. Any solver.
std::vector<ActionStep> mean_actions(const StepTable&);

/// Deals `total` samples to `ranks` in contiguous blocks of whole micro-batches; the last micro-batch may be
/// smaller and a rank may hold nothing. Micro-batch j is the same samples on any number of ranks.
Shard deal_samples(long total, long micro_batch, int rank, int ranks);

} // namespace scoreact
