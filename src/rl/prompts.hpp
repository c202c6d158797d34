#pragma once
/// Which prompt each sample of an epoch is drawn for: a function of (seed, epoch, global sample) alone.
#include "parallel/shard.hpp"
#include "rl/rl_options.hpp"
#include "rl/rollout.hpp"

#include <ATen/core/Tensor.h>

namespace scoreact {

/// The texts of [prompts]: the list, then the lines of the file (empty lines left out). Empty when neither is
/// given. Throws Error{missing_input | data}.
std::vector<std::string> prompt_texts(const PromptOptions&);

class Prompts {
 public:
  /// @param num_prompts labels of the model; 0 for unconditional models. Throws Error{data} for a class that
  /// the model lacks.
  Prompts(const PromptOptions&, long num_prompts);
  /// [B] int64 on the CPU: prompts of this rank's samples.
  at::Tensor draw(const Shard&, const RolloutKey&) const;
  /// [count] int64: the prompts in turn, for pictures and evaluation.
  at::Tensor in_turn(long first, long count) const;
  const std::vector<long>& all() const { return classes_; }

 private:
  std::vector<long> classes_;
  bool random_;
};

} // namespace scoreact
