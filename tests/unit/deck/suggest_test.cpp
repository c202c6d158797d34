#include "deck/suggest.hpp"

#include <gtest/gtest.h>

namespace scoreact {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsSubstitutionsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("solver", "slover"), 1);
  EXPECT_EQ(edit_distance("ca", "abc"), 3); // restricted: a swapped pair is not edited again
}

TEST(EditDistance, IsSymmetric) {
  for (const auto& [a, b] : {std::pair("clip_range", "clip_rnage_mean"), std::pair("eta", "beta_start")})
    EXPECT_EQ(edit_distance(a, b), edit_distance(b, a));
}

TEST(Nearest, FindsWhatWasMeantAndNothingForNonsense) {
  const std::vector<std::string> known = {"sample.num_steps", "sample.solver", "run.seed"};
  EXPECT_EQ(nearest("sample.num_step", known), "sample.num_steps");
  EXPECT_EQ(nearest("run.sede", known), "run.seed");
  EXPECT_EQ(nearest("completely_different", known), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest(std::string(100000, 'a'), known), "");
}

} // namespace
} // namespace scoreact
