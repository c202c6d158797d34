/// CLIP score and aesthetic score: values against their definitions on random networks, gradients against
/// the same expressions. The networks themselves are compared with Python in tests/unit/models.
#include "rewards/aesthetic_score.hpp"
#include "rewards/clip_score.hpp"

#include "error/error.hpp"
#include "models/clip/clip.hpp"
#include "models/clip/clip_pixels.hpp"
#include "text/clip_tokenizer.hpp"
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

TEST(ClipScore, IsTheCosineOfImageAndPrompt) {
  const TemporaryFolder folder;
  const std::string path = fixture(folder, "tiny-clip");
  const auto reward = make_clip_score(path, prompts, cpu);
  EXPECT_TRUE(reward->differentiable());
  const auto clip = Clip::load(path, cpu);
  const ClipTokenizer tokenizer(path);
  std::vector<at::Tensor> ids;
  for (const std::string& prompt : prompts) {
    ids.push_back(torch::tensor(tokenizer.encode(prompt, 77), at::kLong));
  }
  const at::Tensor text = clip->text_embeds(at::stack(ids)).index_select(0, chosen());
  const auto of = [&](const at::Tensor& pixels) {
    return at::cosine_similarity(clip->image_embeds(pixels), text, 1);
  };
  const at::Tensor x = pictures(), found = (*reward)(x, chosen());
  EXPECT_LE(relative_error(found, of(clip_pixel_values_of_pictures(x, 64))), 1e-5);
  EXPECT_LE(found.abs().max().item<double>(), 1.0);
  expect_gradient_of(*reward, x, [&](const at::Tensor& y) { return of(clip_pixel_values(y, 64)); });
  expect_error(ExitCode::data, "reward.kind = clip_score", [&] { (*reward)(x, {}); });
}

/// The head's tensors for embeddings of 24 numbers, as in the published file.
NamedTensors aesthetic_maps() {
  at::Generator generator = at::detail::createCPUGenerator(4);
  NamedTensors maps;
  long inputs = 24;
  for (const auto& [layer, outputs] :
       std::vector<std::pair<int, long>>{{0, 12}, {2, 8}, {4, 6}, {6, 4}, {7, 1}}) {
    const std::string name = fmt::format("layers.{}.", layer);
    maps.emplace_back(name + "weight", at::randn({outputs, inputs}, generator));
    maps.emplace_back(name + "bias", at::randn({outputs}, generator));
    inputs = outputs;
  }
  return maps;
}

TEST(AestheticScore, IsLinearInTheNormedEmbedding) {
  const TemporaryFolder folder;
  const std::string path = fixture(folder, "tiny-clip");
  const NamedTensors maps = aesthetic_maps();
  write_weights(path + "/sac+logos+ava1-l14-linearMSE.safetensors", maps);
  const auto reward = make_aesthetic_score(path, "", cpu);
  EXPECT_TRUE(reward->differentiable());
  // linear maps in a row are one linear map
  at::Tensor slope = torch::eye(24), offset = torch::zeros({24});
  for (std::size_t i = 0; i < maps.size(); i += 2) {
    slope = at::matmul(maps[i].second, slope);
    offset = at::matmul(maps[i].second, offset) + maps[i + 1].second;
  }
  const auto clip = ClipVision::load(path, cpu);
  const auto of = [&](const at::Tensor& pixels) {
    const at::Tensor embedding = clip->forward(pixels);
    return at::matmul(embedding / embedding.norm(2, 1, true), slope.t()).squeeze(1) + offset;
  };
  const at::Tensor x = pictures();
  EXPECT_LE(relative_error((*reward)(x, {}), of(clip_pixel_values_of_pictures(x, 64))), 1e-5);
  expect_gradient_of(*reward, x, [&](const at::Tensor& y) { return of(clip_pixel_values(y, 64)); });
  const std::string elsewhere = (folder / "head.safetensors").string();
  write_weights(elsewhere, maps);
  EXPECT_TRUE(torch::equal((*make_aesthetic_score(path, elsewhere, cpu))(x, {}), (*reward)(x, {})));
}

TEST(AestheticScore, SaysWhatIsWrongWithAFolder) {
  const TemporaryFolder folder;
  const std::string path = fixture(folder, "tiny-clip");
  expect_error(ExitCode::missing_input, "sac+logos+ava1-l14-linearMSE",
               [&] { make_aesthetic_score(path, "", cpu); });
  NamedTensors maps = aesthetic_maps();
  maps[2].second = torch::zeros({8, 13});
  write_weights(path + "/sac+logos+ava1-l14-linearMSE.safetensors", maps);
  expect_error(ExitCode::data, "layers.2.weight: expected [outputs, 12] with as many biases, found [8, 13]",
               [&] { make_aesthetic_score(path, "", cpu); });
}

} // namespace
} // namespace scoreact
