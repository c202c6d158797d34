#pragma once
/// Reward statistics per prompt (ddpo-pytorch stat_tracking.py, documented behaviour): a bounded history of
/// rewards a prompt; its mean and standard deviation standardise the prompt's new rewards, or the batch's own
/// while the history is short.
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace scoreact {

struct PromptStatOptions;

class PromptStatistics {
 public:
  explicit PromptStatistics(const PromptStatOptions&);
  /// Advantages (R - mean) / (std + 1e-6) of one epoch's rewards, all ranks' in global order. With
  /// buffer_size 0: batch statistics (R - mean) / (std + 1e-8).
  std::vector<double> advantages(const std::vector<double>& reward, const std::vector<double>& prompt);
  std::map<std::string, std::vector<double>> state() const;
  void restore(const std::map<std::string, std::vector<double>>&);

 private:
  long buffer_size_, min_count_;
  std::map<std::int64_t, std::deque<double>> history_;
};

} // namespace scoreact
