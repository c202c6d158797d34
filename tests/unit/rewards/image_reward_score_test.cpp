/// ImageReward as a reward: values against their definition on a random
/// network, gradients against the same expression, prompts against the
/// original's tokenizer. The network itself is compared with the original in
/// tests/unit/models.
#include "rewards/image_reward_score.hpp"

#include "error/error.hpp"
#include "models/clip/clip_pixels.hpp"
#include "models/image_reward/image_reward.hpp"
#include "unit/rewards/picture_rewards.hpp"

#include <gtest/gtest.h>

namespace scoreact {
namespace {

using testing_parity::relative_error;
using testing_rewards::chosen;
using testing_rewards::cpu;
using testing_rewards::expect_gradient_of;
using testing_rewards::fixture;
using testing_rewards::pictures;
using testing_rewards::prompts;
using testing_store::expect_error;
using testing_store::TemporaryFolder;

TEST(ImageRewardReward, IsTheNormalisedRewardOfImageAndPrompt) {
  const TemporaryFolder folder;
  const std::string path = fixture(folder, "tiny-image-reward");
  const auto reward = make_image_reward(path, prompts, cpu);
  EXPECT_TRUE(reward->differentiable());
  EXPECT_EQ(reward->name(), "image_reward");
  const auto network = ImageReward::load(path, cpu);
  const ImageRewardPrompts encoded = image_reward_prompts(path, *network, prompts, cpu);
  const auto of = [&](const at::Tensor& pixels) {
    const at::Tensor raw = network->forward(pixels, encoded.input_ids.index_select(0, chosen()),
                                            encoded.attention_mask.index_select(0, chosen()));
    return (raw - 0.16717362830052426) / 1.0333394966054072;
  };
  const at::Tensor x = pictures();
  EXPECT_LE(relative_error((*reward)(x, chosen()), of(clip_pixel_values_of_pictures(x, 64))), 1e-6);
  expect_gradient_of(*reward, x, [&](const at::Tensor& y) { return of(clip_pixel_values(y, 64)); });
  expect_error(ExitCode::data, "reward.kind = image_reward: this reward judges how well an image fits",
               [&] { (*reward)(x, {}); });
}

TEST(ImageRewardPrompts, AreThoseOfTheOriginalsTokenizer) {
  const TemporaryFolder folder;
  const std::string path = fixture(folder, "tiny-image-reward");
  const auto network = ImageReward::load(path, cpu);
  const std::string ocean = "a painting of an ocean with clouds and birds, day "
                            "time, low depth field effect";
  const auto encoded = image_reward_prompts(
      path, *network, {ocean, "Hello, World! It's café naïve 日本 unbelievableness", "[ENC] [DEC]"}, cpu);
  const std::vector<std::vector<long>> expected = {
      {101, 1037, 4169, 1997, 2019, 4153, 2007, 8044, 1998, 5055, 1010, 2154, 2051, 1010, 2659, 5995, 2492,
       3466, 102},
      {101, 7592, 1010, 2088, 999, 2009, 1005, 1055, 7668, 15743, 1864, 1876, 23653, 2791, 102},
      {101, 30523, 30522, 102}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const at::Tensor ids = torch::tensor(expected[i], at::kLong);
    const auto row = static_cast<long>(i), used = ids.size(0);
    EXPECT_TRUE(torch::equal(encoded.input_ids[row].narrow(0, 0, used), ids)) << encoded.input_ids[row];
    EXPECT_EQ(encoded.input_ids[row].narrow(0, used, 35 - used).abs().sum().item<long>(), 0);
    EXPECT_EQ(encoded.attention_mask[row].sum().item<long>(), used);
  }
}

TEST(ImageRewardPrompts, RefuseAnotherVocabularyThanTheNetworks) {
  const TemporaryFolder folder;
  const std::string path = fixture(folder, "tiny-image-reward");
  testing_store::put_bytes(folder / "tiny-image-reward/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n");
  expect_error(ExitCode::data, "ImageReward's text tower knows 30524 tokens, but its vocabulary has 7",
               [&] { make_image_reward(path, prompts, cpu); });
}

} // namespace
} // namespace scoreact
