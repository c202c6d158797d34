#pragma once
/// A reward model RM(x, c) of the final state; the paper's terminal reward h.
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

namespace scoreact {

struct RewardOptions;

class Reward {
 public:
  virtual ~Reward() = default;
  /// RM of final states x [n, ...] fp32 (pixels in [-1, 1] for images) under prompts [n] int64; returns [n]
  /// fp32. Differentiable rewards record a graph when grad mode is on.
  virtual at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) = 0;
  virtual bool differentiable() const = 0;
  virtual std::string name() const = 0;
};

/// The weighted sum that a deck's [reward] names. Throws Error{missing_input | data}.
std::shared_ptr<Reward> make_reward(const RewardOptions&, const std::vector<long>& sample_shape);

} // namespace scoreact
