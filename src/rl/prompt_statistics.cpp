#include "rl/prompt_statistics.hpp"

#include "kernels/group_statistics.hpp"
#include "rl/rl_options.hpp"

#include <cmath>

namespace scoreact {

namespace {

kernels::Moments moments_of(const std::vector<double>& values) {
  const std::vector<std::int32_t> one_group(values.size(), 0);
  kernels::Moments moments;
  kernels::grouped_moments({}, {values.data(), static_cast<long>(values.size())},
                           {one_group.data(), static_cast<long>(one_group.size())}, {&moments, 1});
  return moments;
}

double deviation(const kernels::Moments& m) { return m.count > 0 ? std::sqrt(m.m2 / m.count) : 0.0; }

} // namespace

PromptStatistics::PromptStatistics(const PromptStatOptions& options)
    : buffer_size_(options.buffer_size), min_count_(options.min_count) {}

std::vector<double> PromptStatistics::advantages(const std::vector<double>& reward,
                                                 const std::vector<double>& prompt) {
  const kernels::Moments batch = moments_of(reward);
  std::vector<double> out(reward.size());
  if (buffer_size_ == 0) {
    for (std::size_t i = 0; i < reward.size(); ++i)
      out[i] = (reward[i] - batch.mean) / (deviation(batch) + 1e-8);
    return out;
  }
  for (std::size_t i = 0; i < reward.size(); ++i) {
    std::deque<double>& history = history_[static_cast<std::int64_t>(prompt[i])];
    history.push_back(reward[i]);
    if (static_cast<long>(history.size()) > buffer_size_)
      history.pop_front();
  }
  std::map<std::int64_t, kernels::Moments> of_prompt;
  for (const auto& [id, history] : history_)
    of_prompt[id] =
        static_cast<long>(history.size()) < min_count_ ? batch : moments_of({history.begin(), history.end()});
  for (std::size_t i = 0; i < reward.size(); ++i) {
    const kernels::Moments& m = of_prompt[static_cast<std::int64_t>(prompt[i])];
    out[i] = (reward[i] - m.mean) / (deviation(m) + 1e-6);
  }
  return out;
}

std::map<std::string, std::vector<double>> PromptStatistics::state() const {
  std::map<std::string, std::vector<double>> state;
  for (const auto& [id, history] : history_)
    state["prompt_rewards_" + std::to_string(id)] = {history.begin(), history.end()};
  return state;
}

void PromptStatistics::restore(const std::map<std::string, std::vector<double>>& state) {
  const std::string prefix = "prompt_rewards_";
  for (const auto& [name, values] : state)
    if (name.starts_with(prefix))
      history_[std::stoll(name.substr(prefix.size()))] = {values.begin(), values.end()};
}

} // namespace scoreact
