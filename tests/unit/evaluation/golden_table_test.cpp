#include "evaluation/golden_table.hpp"

#include <gtest/gtest.h>

namespace scoreact {
namespace {

TEST(PublishedGoldens, AreCompleteAndHaveTheirSource) {
  const GoldenTable table = read_goldens(published_goldens(), "built in");
  std::map<std::string, long> found;
  for (const Golden& golden : table.goldens) {
    ++found[golden.weights];
    EXPECT_TRUE(golden.source.find("huggingface/diffusers 58eb52c0, tests/") != std::string::npos ||
                golden.source.find("THUDM/ImageReward") != std::string::npos)
        << golden.source;
    EXPECT_LE(golden.tolerance, 1e-2);
  }
  EXPECT_EQ(found,
            (std::map<std::string, long>{
                {"ImageReward", 1}, {"ddpm-cifar10-32", 2}, {"sd-v1-1", 1}, {"sd-v1-4", 5}, {"sd-v1-5", 2}}));
  EXPECT_EQ(table.weights.size(), found.size());
}

TEST(Golden, NamesTheFilesThatItNeeds) {
  Golden golden;
  golden.pictures = {"1.png", "2.png"};
  EXPECT_EQ(golden.files(), (std::vector<std::string>{"1.png", "2.png"}));
  golden = {};
  golden.lora = "lora";
  golden.expected_file = "picture.npy";
  EXPECT_EQ(golden.files(), (std::vector<std::string>{"lora", "picture.npy"}));
}

} // namespace
} // namespace scoreact
