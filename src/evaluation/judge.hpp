#pragma once
/// A second opinion on drawn pictures, of a network that was never a reward: does a picture show what its
/// prompt says? Where the reward rises and the judge's verdict falls, the policy has learned the reward's
/// faults.
#include "rewards/reward.hpp"

#include <memory>
#include <string>
#include <vector>

namespace scoreact {

class Judge {
 public:
  virtual ~Judge() = default;
  /// x [n, ...] fp32 final states, prompt [n] int64: [n] bool, whether x fits its prompt better than any
  /// other prompt of the model (of the run, for texts).
  virtual at::Tensor right(const at::Tensor& x, const at::Tensor& prompt) = 0;
};

/// The network in `directory`: a classifier for a model of `num_classes` classes, a CLIP where the context
/// has texts. Throws Error{missing_input | data} if the network judges others than the model draws.
std::shared_ptr<Judge> make_judge(const std::string& directory, const std::vector<long>& sample_shape,
                                  long num_classes, const RewardContext&);

} // namespace scoreact
