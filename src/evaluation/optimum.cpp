#include "evaluation/optimum.hpp"

#include "error/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace scoreact {

namespace {
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
}

double log_mean_exp(const std::vector<double>& values) {
  SCOREACT_REQUIRE(!values.empty(), ExitCode::internal, "log_mean_exp of no values");
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values)
    sum += std::exp(value - largest);
  return largest + std::log(sum / static_cast<double>(values.size()));
}

Optimum attainable_optimum(const std::vector<double>& reward, const std::vector<std::int64_t>& prompt,
                           double kl_weight) {
  SCOREACT_REQUIRE(!reward.empty() && reward.size() == prompt.size(), ExitCode::internal,
                   "optimum: {} rewards and {} prompts", reward.size(), prompt.size());
  const double n = static_cast<double>(reward.size());
  Optimum optimum{std::accumulate(reward.begin(), reward.end(), 0.0) / n, kUndefined};
  if (kl_weight <= 0)
    return optimum;
  std::map<std::int64_t, std::vector<double>> scaled;
  for (std::size_t i = 0; i < reward.size(); ++i)
    scaled[prompt[i]].push_back(reward[i] / kl_weight);
  optimum.optimum_j = 0;
  for (const auto& [c, values] : scaled)
    optimum.optimum_j += kl_weight * log_mean_exp(values) * static_cast<double>(values.size()) / n;
  return optimum;
}

double share_of_gain(const Optimum& optimum, double kl_weight, double reward, double kl) {
  const double possible = optimum.optimum_j - optimum.base_reward;
  return possible > 0 ? (reward - kl_weight * kl - optimum.base_reward) / possible : kUndefined;
}

} // namespace scoreact
