#include "evaluation/judge.hpp"

#include "error/error.hpp"
#include "rewards/clip_score.hpp"
#include "unit/rewards/picture_rewards.hpp"

#include <gtest/gtest.h>

namespace scoreact {
namespace {

using testing_rewards::cpu;
using testing_rewards::fixture;
using testing_store::expect_error;
using testing_store::TemporaryFolder;

RewardContext context_with(const std::vector<std::string>& texts) {
  return {.prompts = texts, .to_pixels = [](const at::Tensor& x) { return -x; }, .decoded_together = 3};
}

TEST(ClipJudge, FindsTheTextOfTheHighestScore) {
  const TemporaryFolder folder;
  const std::string path = fixture(folder, "tiny-clip");
  const std::vector<std::string> texts = {"a cat", "two red dogs", "the sea at night"};
  const at::Tensor x = torch::rand({8, 3, 64, 64}, at::detail::createCPUGenerator(3)) * 2 - 1;
  const auto judge = make_judge(path, {3, 64, 64}, 0, context_with(texts));
  // by the reward of the same network, text by text
  const auto score = make_clip_score(path, texts, cpu);
  std::vector<at::Tensor> scores;
  for (long text = 0; text < 3; ++text)
    scores.push_back((*score)(-x, at::full({8}, text, at::kLong)));
  const at::Tensor nearest = at::stack(scores, 1).argmax(1);
  for (long text = 0; text < 3; ++text)
    EXPECT_TRUE(torch::equal(judge->right(x, at::full({8}, text, at::kLong)), nearest == text)) << text;
}

TEST(ClipJudge, TakesEqualTextsForOneAnswer) {
  const TemporaryFolder folder;
  const auto judge =
      make_judge(fixture(folder, "tiny-clip"), {3, 64, 64}, 0, context_with({"a cat", "a cat"}));
  const at::Tensor x = torch::zeros({2, 3, 64, 64});
  EXPECT_TRUE(judge->right(x, torch::tensor({0, 1}, at::kLong)).all().item<bool>());
}

TEST(Judge, MissingFolderIsNamed) {
  expect_error(ExitCode::missing_input, "/nowhere", [] {
    make_judge("/nowhere", {3, 8, 8}, 0, context_with({"a"}));
  });
  expect_error(ExitCode::missing_input, "/nowhere", [] { make_judge("/nowhere", {1, 8, 8}, 10, {}); });
}

} // namespace
} // namespace scoreact
