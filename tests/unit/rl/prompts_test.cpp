#include "rl/prompts.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

TEST(Prompts, AreAFunctionOfSeedEpochAndSampleAlone) {
  const Prompts prompts({}, 10);
  const at::Tensor all = prompts.draw({24, 4, 0, 24}, {3, 5});
  EXPECT_TRUE(torch::equal(prompts.draw({24, 4, 0, 24}, {3, 5}), all));
  for (const long first : {0L, 8L, 16L}) // three ranks
    EXPECT_TRUE(torch::equal(prompts.draw({24, 4, first, 8}, {3, 5}), all.narrow(0, first, 8)));
  EXPECT_FALSE(torch::equal(prompts.draw({24, 4, 0, 24}, {3, 6}), all));
  EXPECT_FALSE(torch::equal(prompts.draw({24, 4, 0, 24}, {4, 5}), all));
}

TEST(Prompts, AreDrawnEvenlyFromTheClasses) {
  PromptOptions options;
  options.classes = {2, 5, 7};
  const at::Tensor drawn = Prompts(options, 10).draw({3000, 1, 0, 3000}, {1, 0});
  long total = 0;
  for (const long c : options.classes) {
    const long count = (drawn == c).sum().item<long>();
    EXPECT_NEAR(static_cast<double>(count), 1000, 4 * 26); // binomial, standard deviation 26
    total += count;
  }
  EXPECT_EQ(total, 3000);
}

TEST(Prompts, ComeInTurnWhenAsked) {
  PromptOptions options;
  options.classes = {4, 1};
  options.cycle = "round_robin";
  const Prompts prompts(options, 5);
  EXPECT_TRUE(torch::equal(prompts.draw({8, 2, 0, 4}, {1, 0}), torch::tensor({4, 1, 4, 1}, torch::kLong)));
  EXPECT_TRUE(torch::equal(prompts.in_turn(1, 3), torch::tensor({1, 4, 1}, torch::kLong)));
}

TEST(Prompts, KnowTheModelsLabels) {
  EXPECT_EQ(Prompts({}, 3).all(), (std::vector<long>{0, 1, 2}));
  EXPECT_EQ(Prompts({}, 0).all(), (std::vector<long>{0})); // unconditional
  PromptOptions options;
  options.classes = {3};
  EXPECT_THROW(Prompts(options, 3), Error);
}

} // namespace
} // namespace scoreact
