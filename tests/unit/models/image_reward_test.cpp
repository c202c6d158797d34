/// ImageReward against the original package (tests/golden/make_image_reward_golden.py made the files) and
/// against the layout of ImageReward.pt.
#include "models/image_reward/image_reward.hpp"

#include "error/error.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <filesystem>
#include <set>

namespace scoreact {
namespace {

using testing_parity::relative_error;
using testing_store::expect_error;
using testing_store::TemporaryFolder;
using testing_support::source_path;

struct RewardCase {
  std::map<std::string, at::Tensor> tensors;
  std::shared_ptr<ImageReward> network;

  at::Tensor reward(const ImageReward& of, const at::Tensor& pixels) const {
    return of.forward(pixels, tensors.at("input_ids"), tensors.at("attention_mask"));
  }
};

RewardCase reward_case() {
  const std::string folder = source_path("tests/data/image_reward");
  return {read_weights(folder + "/case.safetensors"), ImageReward::load(folder, c10::Device(c10::kCPU))};
}

TEST(ImageReward, GivesTheOriginalsRewardAndPixelGradient) {
  const RewardCase golden = reward_case();
  const at::Tensor pixels = golden.tensors.at("pixel_values").clone().requires_grad_(true);
  const at::Tensor reward = golden.reward(*golden.network, pixels);
  EXPECT_LE(relative_error(reward, golden.tensors.at("reward")), 1e-5);
  EXPECT_LE(relative_error(ImageReward::normalised(reward), golden.tensors.at("normalised")), 1e-5);
  const at::Tensor gradient = torch::autograd::grad({reward}, {pixels}, {golden.tensors.at("cotangent")})[0];
  EXPECT_LE(relative_error(gradient, golden.tensors.at("grad.pixel_values")), 1e-4);
}

TEST(ImageReward, NamesShapesThatItCannotTake) {
  const RewardCase golden = reward_case();
  const at::Tensor pixels = golden.tensors.at("pixel_values"), ids = golden.tensors.at("input_ids"),
                   mask = golden.tensors.at("attention_mask");
  expect_error(ExitCode::data, "pixel_values: expected [n, 3, 16, 16], found [1, 3, 16, 20]", [&] {
    golden.network->front(torch::zeros({1, 3, 16, 20}));
  });
  expect_error(ExitCode::data, "attention_mask: expected the shape of input_ids, [3, 7], found [3, 6]",
               [&] { golden.network->forward(pixels, ids, mask.narrow(1, 0, 6)); });
  expect_error(ExitCode::data, "expected one row an image, 2, found 3",
               [&] { golden.network->forward(pixels.narrow(0, 0, 2), ids, mask); });
}

TEST(ImageReward, CopiesShareWhatIsFrozenAndTrainTheRest) {
  const RewardCase golden = reward_case();
  const auto copy = golden.network->trainable_copy(0.5); // 1 of 2 blocks, 1 of 2 text layers
  const auto own = golden.network->named_parameters();
  std::set<std::string> trained;
  for (const auto& [name, tensor] : copy->trainable_parameters()) {
    trained.insert(name);
    EXPECT_NE(tensor.data_ptr(), own[name].data_ptr()) << name;
  }
  for (const auto& item : copy->named_parameters()) {
    const std::string& name = item.key();
    EXPECT_TRUE(torch::equal(item.value(), own[name])) << name;
    const bool last = name.starts_with("blip.visual_encoder.blocks.1.") ||
                      name.starts_with("blip.visual_encoder.norm.") ||
                      name.starts_with("blip.text_encoder.encoder.layer.1.") || name.starts_with("mlp.");
    EXPECT_EQ(trained.contains(name), last) << name;
    EXPECT_EQ(item.value().requires_grad(), last) << name;
    if (!last) {
      EXPECT_EQ(item.value().data_ptr(), own[name].data_ptr()) << name;
    }
  }
  EXPECT_TRUE(golden.network->trainable_parameters().empty());
}

TEST(ImageReward, CutInTwoGivesTheSameReward) {
  const RewardCase golden = reward_case();
  const at::Tensor pixels = golden.tensors.at("pixel_values");
  const at::Tensor expected = golden.reward(*golden.network, pixels);
  for (const double fraction : {0.0, 0.5, 0.7, 1.0}) {
    const auto copy = golden.network->trainable_copy(fraction);
    const at::Tensor features = copy->front(pixels);
    EXPECT_FALSE(features.requires_grad()) << fraction; // nothing in front of the cut is trained
    const at::Tensor reward =
        copy->rear(features, golden.tensors.at("input_ids"), golden.tensors.at("attention_mask"));
    EXPECT_TRUE(torch::equal(reward, expected)) << fraction;
    EXPECT_TRUE(reward.requires_grad()) << fraction;
  }
  expect_error(ExitCode::data, "frozen_fraction: expected a number from 0 to 1, found 1.5",
               [&] { golden.network->trainable_copy(1.5); });
}

TEST(ImageReward, TrainingACopyLeavesTheOriginalAlone) {
  const RewardCase golden = reward_case();
  const at::Tensor pixels = golden.tensors.at("pixel_values");
  const at::Tensor before = golden.reward(*golden.network, pixels);
  const auto copy = golden.network->trainable_copy(0.5);
  golden.reward(*copy, pixels).sum().backward();
  {
    torch::NoGradGuard no_grad;
    for (const auto& [name, tensor] : copy->trainable_parameters()) {
      ASSERT_TRUE(tensor.grad().defined()) << name;
      at::Tensor(tensor).sub_(0.1 * tensor.grad());
    }
  }
  EXPECT_TRUE(torch::equal(golden.reward(*golden.network, pixels), before));
  EXPECT_LT((golden.reward(*copy, pixels) - before).max().item<double>(), 0.0);
}

TEST(ImageReward, HasExactlyTheTensorsOfTheOriginal) {
  const ImageReward network{ImageRewardConfig()}; // 1.8 GB of address space; nothing is written to it
  // the manifest has one buffer more, the text tower's position ids
  std::map<std::string, std::vector<std::int64_t>> found;
  for (const auto& item : network.named_parameters()) {
    found[item.key()] = item.value().sizes().vec();
  }
  found["blip.text_encoder.embeddings.position_ids"] = {1, 512};
  EXPECT_EQ(found, testing_parity::read_manifest(source_path("tests/data/imagereward.tsv")));
  EXPECT_EQ(found.size(), 625u);
}

TEST(ImageReward, TakesItsSizesFromTheTensors) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, shape] : testing_parity::read_manifest(source_path("tests/data/imagereward.tsv"))) {
    tensors.emplace(name, torch::empty(shape));
  }
  const ImageRewardConfig found = image_reward_config(BlipTextConfig(), tensors, "manifest"), expected;
  EXPECT_EQ(found.vision.width, expected.vision.width);
  EXPECT_EQ(found.vision.depth, expected.vision.depth);
  EXPECT_EQ(found.vision.heads, expected.vision.heads);
  EXPECT_EQ(found.vision.mlp_width, expected.vision.mlp_width);
  EXPECT_EQ(found.vision.patch_size, expected.vision.patch_size);
  EXPECT_EQ(found.vision.image_size, expected.vision.image_size);
  EXPECT_EQ(found.joint_width, expected.joint_width);
  EXPECT_EQ(found.head, expected.head);
  tensors.erase("mlp.layers.4.weight");
  expect_error(ExitCode::data, "manifest: expected a tensor mlp.layers.4.weight of ImageReward",
               [&] { image_reward_config(BlipTextConfig(), tensors, "manifest"); });
}

TEST(ImageReward, SaysWhatIsWrongWithAFolder) {
  const TemporaryFolder folder;
  const c10::Device cpu(c10::kCPU);
  const auto load = [&] { ImageReward::load(folder.path().string(), cpu); };
  expect_error(ExitCode::missing_input, "ImageReward.pt", load);
  std::filesystem::copy_file(source_path("tests/data/image_reward/ImageReward.safetensors"),
                             folder / "ImageReward.safetensors");
  expect_error(ExitCode::missing_input, "med_config.json", load);
  testing_store::put_bytes(folder / "med_config.json", R"({"hidden_act": "relu"})");
  expect_error(ExitCode::data, "hidden_act: expected \"gelu\", found \"relu\"", load);
  testing_store::put_bytes(folder / "med_config.json", R"({"num_attention_heads": 5})");
  expect_error(ExitCode::data, "num_attention_heads 5 does not divide hidden_size 768", load);
  testing_store::put_bytes(folder / "med_config.json", R"({"hidden_size": 32, "num_attention_heads": 4})");
  expect_error(ExitCode::data, "missing", load); // 12 layers are expected, the file has 2
}

} // namespace
} // namespace scoreact
