#include "evaluation/inference.hpp"

#include <algorithm>

namespace scoreact {

std::vector<ActionStep> mean_actions(const StepTable& table) {
  std::vector<ActionStep> actions;
  for (const Step& step : table.steps)
    actions.push_back({0.0, step.spread});
  return actions;
}

Shard deal_samples(long total, long micro_batch, int rank, int ranks) {
  const long part = std::max(1L, std::min(micro_batch, total));
  const long parts = (total + part - 1) / part;
  const auto begin = [&](long r) { return std::min(total, parts * r / ranks * part); };
  return {total, part, begin(rank), begin(rank + 1) - begin(rank)};
}

} // namespace scoreact
