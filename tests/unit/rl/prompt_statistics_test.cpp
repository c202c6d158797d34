#include "rl/prompt_statistics.hpp"

#include "rl/rl_options.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace scoreact {
namespace {

struct MeanStd {
  double mean, std;
};

MeanStd plain(const std::vector<double>& values) {
  double mean = 0, squares = 0;
  for (const double v : values)
    mean += v / static_cast<double>(values.size());
  for (const double v : values)
    squares += (v - mean) * (v - mean) / static_cast<double>(values.size());
  return {mean, std::sqrt(squares)};
}

/// ddpo-pytorch's documented behaviour, written down with plain vectors: prompt by prompt, the newest
/// buffer_size rewards; their statistics once there are min_count of them, the batch's own before.
class PlainTracker {
 public:
  PlainTracker(std::size_t buffer_size, std::size_t min_count)
      : buffer_size_(buffer_size), min_count_(min_count) {}
  std::vector<double> operator()(const std::vector<double>& reward, const std::vector<double>& prompt) {
    std::vector<double> advantages(reward.size());
    for (const double asked : prompt) {
      if (!pending(prompt, asked))
        continue;
      std::vector<double>& kept = kept_[asked];
      for (std::size_t i = 0; i < reward.size(); ++i)
        if (prompt[i] == asked)
          kept.push_back(reward[i]);
      if (kept.size() > buffer_size_)
        kept.erase(kept.begin(), kept.end() - static_cast<long>(buffer_size_));
      const MeanStd of = plain(kept.size() < min_count_ ? reward : kept);
      for (std::size_t i = 0; i < reward.size(); ++i)
        if (prompt[i] == asked)
          advantages[i] = (reward[i] - of.mean) / (of.std + 1e-6);
      done_.push_back(asked);
    }
    done_.clear();
    return advantages;
  }

 private:
  bool pending(const std::vector<double>&, double asked) const {
    return std::find(done_.begin(), done_.end(), asked) == done_.end();
  }
  std::size_t buffer_size_, min_count_;
  std::map<double, std::vector<double>> kept_;
  std::vector<double> done_;
};

double reward_of(int epoch, int i) { return std::sin(1.3 * epoch + 2.1 * i) * 10 + 100; }
double prompt_of(int epoch, int i) { return (7 * epoch + i * i) % 4; }

TEST(PromptStatistics, FollowThePlainImplementation) {
  PromptStatistics tracker({.buffer_size = 6, .min_count = 4});
  PlainTracker expected(6, 4);
  for (int epoch = 0; epoch < 8; ++epoch) {
    std::vector<double> reward, prompt;
    for (int i = 0; i < 9; ++i) {
      reward.push_back(reward_of(epoch, i));
      prompt.push_back(prompt_of(epoch, i));
    }
    const auto found = tracker.advantages(reward, prompt), wanted = expected(reward, prompt);
    for (std::size_t i = 0; i < reward.size(); ++i)
      EXPECT_NEAR(found[i], wanted[i], 1e-9 * (1 + std::abs(wanted[i]))) << "epoch " << epoch;
  }
}

TEST(PromptStatistics, WithoutABufferAreTheBatchs) {
  PromptStatistics tracker({.buffer_size = 0, .min_count = 16});
  const std::vector<double> reward = {1, 2, 3, 6};
  const MeanStd of = plain(reward);
  const auto found = tracker.advantages(reward, {0, 1, 0, 1});
  for (std::size_t i = 0; i < reward.size(); ++i)
    EXPECT_NEAR(found[i], (reward[i] - of.mean) / (of.std + 1e-8), 1e-12);
  EXPECT_TRUE(tracker.state().empty());
}

TEST(PromptStatistics, GoOnFromTheirState) {
  PromptStatistics first({.buffer_size = 4, .min_count = 2}), second({.buffer_size = 4, .min_count = 2});
  first.advantages({1, 5, 2, 8, 3}, {0, 1, 0, 1, 12});
  second.restore(first.state());
  EXPECT_EQ(second.state(), first.state());
  EXPECT_EQ(first.state().size(), 3U);
  EXPECT_EQ(first.advantages({4, 6}, {1, 12}), second.advantages({4, 6}, {1, 12}));
}

} // namespace
} // namespace scoreact
