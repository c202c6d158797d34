#include "rewards/reward.hpp"

#include "error/error.hpp"
#include "models/classifier/classifier.hpp"
#include "rewards/jpeg_reward.hpp"
#include "rewards/jpeg_size.hpp"
#include "rewards/reward_options.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::TemporaryFolder;

struct Picture {
  long height, width, channels;
  std::size_t rough_bytes, smooth_bytes;
};

/// Sizes that Pillow 12 (libjpeg-turbo 3.2) writes with quality=95 for the two patterns below.
constexpr Picture kJpegPictures[] = {{8, 8, 1, 395, 342}, {32, 48, 3, 2336, 934}, {28, 28, 1, 1319, 510}};

std::vector<std::uint8_t> pattern(const Picture& picture, bool rough) {
  std::vector<std::uint8_t> pixels;
  for (long y = 0; y < picture.height; ++y) {
    for (long x = 0; x < picture.width; ++x) {
      for (long k = 0; k < picture.channels; ++k) {
        const long value = rough ? (37 * x + 91 * y * y + 53 * k + x * y * (k + 3)) % 256
                                 : std::min(255L, 4 * x + 3 * y + 40 * k);
        pixels.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  return pixels;
}

TEST(JpegSize, EqualsPillowsByteForByte) {
  for (const Picture& picture : kJpegPictures) {
    EXPECT_EQ(jpeg_size(pattern(picture, true).data(), picture.height, picture.width, picture.channels).file,
              picture.rough_bytes);
    EXPECT_EQ(jpeg_size(pattern(picture, false).data(), picture.height, picture.width, picture.channels).file,
              picture.smooth_bytes);
  }
}

/// ITU T.81 annex B with the standard tables. Colour: SOI 2, APP0 18, two DQT 138, SOF0 19, four DHT 432, SOS
/// 14, EOI 2; grey has one table of each kind less and one component.
TEST(JpegSize, TheScanIsTheFileWithoutItsHeader) {
  for (const Picture& picture : kJpegPictures) {
    for (const bool rough : {true, false}) {
      const JpegSize size =
          jpeg_size(pattern(picture, rough).data(), picture.height, picture.width, picture.channels);
      EXPECT_EQ(size.file - size.scan, picture.channels == 3 ? 625u : 330u);
    }
  }
}

TEST(JpegReward, IsTheSizeInKilobytesWithItsSign) {
  const Picture picture = kJpegPictures[1];
  const auto pixels = pattern(picture, true);
  const at::Tensor bytes = torch::tensor(std::vector<std::int64_t>(pixels.begin(), pixels.end()))
                               .view({1, picture.height, picture.width, 3});
  const at::Tensor x = bytes.permute({0, 3, 1, 2}).to(torch::kFloat32) / 127.5 - 1;
  RewardOptions options;
  options.kind = {"jpeg_compressibility"};
  const auto smaller = make_reward(options, {3, 32, 48});
  EXPECT_FLOAT_EQ((*smaller)(x, {}).item<float>(), -2.336f);
  EXPECT_FALSE(smaller->differentiable());
  options.kind = {"jpeg_incompressibility"};
  EXPECT_FLOAT_EQ((*make_reward(options, {3, 32, 48}))(x, {}).item<float>(), 2.336f);
  options.jpeg_header = false;
  EXPECT_FLOAT_EQ((*make_reward(options, {3, 32, 48}))(x, {}).item<float>(), 2.336f - 0.625f);
  expect_error(ExitCode::data, "1 or 3 channels", [&] { make_reward(options, {2, 8, 8}); });
  expect_error(ExitCode::data, "1 or 3 channels", [&] { make_reward(options, {5}); });
}

TEST(JpegReward, RoundsPixelsHalfToEvenAndClamps) {
  // x/2 + 1/2 = (0.5, 1.5, 2.5) / 255 to within fp32, and two values outside [-1, 1]
  const at::Tensor x = torch::tensor({-7.0f, 9.0f, -1.0f, 1.0f}).view({1, 1, 2, 2});
  EXPECT_TRUE(torch::equal(to_uint8_images(x).flatten(), torch::tensor({0, 255, 0, 255}, torch::kByte)));
  EXPECT_EQ(to_uint8_images(torch::zeros({1, 1, 1, 1})).item<int>(), 128); // 127.5
}

TEST(LinearAndQuadraticReward, AreWhatTheirNamesSay) {
  const at::Tensor x = torch::tensor({1.0f, -2.0f, 0.5f, 3.0f}).view({2, 2});
  RewardOptions options;
  options.kind = {"linear"};
  options.vector = {2.0, 1.0};
  EXPECT_TRUE(torch::allclose((*make_reward(options, {2}))(x, {}), torch::tensor({0.0f, 4.0f})));
  options.kind = {"quadratic"};
  options.strength = 3.0;
  options.center = {1.0, 0.0};
  EXPECT_TRUE(torch::allclose((*make_reward(options, {2}))(x, {}), torch::tensor({-6.0f, -13.875f})));
  options.center = {};
  EXPECT_TRUE(torch::allclose((*make_reward(options, {2}))(x, {}), torch::tensor({-7.5f, -13.875f})));
  options.center = {1.0};
  expect_error(ExitCode::data, "reward.center: expected 2 numbers", [&] { make_reward(options, {2}); });
  options.kind = {"linear"};
  options.vector = {1.0};
  expect_error(ExitCode::data, "reward.vector: expected 2 numbers", [&] { make_reward(options, {2}); });
}

TEST(WeightedSum, AddsItsTermsAndIsDifferentiableIfAllAre) {
  const at::Tensor x = torch::tensor({1.0f, -2.0f}).view({1, 2}).requires_grad_(true);
  RewardOptions options;
  options.kind = {"linear", "quadratic"};
  options.weights = {2.0, 0.5};
  options.vector = {1.0, 1.0};
  const auto reward = make_reward(options, {2});
  const at::Tensor value = (*reward)(x, {});
  EXPECT_FLOAT_EQ(value.item<float>(), 2.0f * -1.0f + 0.5f * -2.5f);
  EXPECT_TRUE(reward->differentiable());
  // gradient 2 (1, 1) - 0.5 x
  const at::Tensor gradient = torch::autograd::grad({value.sum()}, {x})[0];
  EXPECT_TRUE(torch::allclose(gradient, torch::tensor({1.5f, 3.0f}).view({1, 2})));
  EXPECT_EQ(reward->name(), "2 linear + 0.5 quadratic");
  options.weights = {1.0};
  expect_error(ExitCode::data, "reward.weights: expected 2", [&] { make_reward(options, {2}); });
  options.weights = {};
  options.kind = {"beauty"};
  expect_error(ExitCode::data, "found \"beauty\"", [&] { make_reward(options, {2}); });
}

class ClassifierRewardOf : public ::testing::TestWithParam<const char*> {};

TEST_P(ClassifierRewardOf, IsTheLogProbabilityOfThePrompt) {
  const TemporaryFolder folder;
  const std::string path = (folder / "classifier").string();
  ClassifierConfig config;
  config.kind = GetParam();
  Classifier classifier(config, 5);
  classifier.save(path);
  RewardOptions options;
  options.path = path;
  const auto reward = make_reward(options, {1, 8, 8});
  EXPECT_TRUE(reward->differentiable());
  const at::Tensor x = torch::randn({4, 1, 8, 8}).requires_grad_(true);
  const at::Tensor prompt = torch::tensor({3L, 0L, 9L, 3L});
  const at::Tensor value = (*reward)(x, prompt);
  const at::Tensor log_prob = classifier.log_prob(x);
  EXPECT_TRUE(torch::allclose(log_prob.exp().sum(1), torch::ones({4})));
  for (long i = 0; i < 4; ++i) {
    EXPECT_FLOAT_EQ(value[i].item<float>(), log_prob[i][prompt[i].item<long>()].item<float>());
  }
  const at::Tensor gradient = torch::autograd::grad({value.sum()}, {x})[0];
  EXPECT_GT(gradient.abs().max().item<double>(), 0.0);
  expect_error(ExitCode::data, "shape [1, 8, 8], the model draws [3, 32, 32]", [&] {
    make_reward(options, {3, 32, 32});
  });
  options.path = path + "/absent";
  expect_error(ExitCode::missing_input, "no such folder", [&] { make_reward(options, {1, 8, 8}); });
}

INSTANTIATE_TEST_SUITE_P(Kinds, ClassifierRewardOf, ::testing::Values("classifier_cnn", "classifier_mlp"));

TEST(Classifier, OfTheDigitStudyIsAsSmallAsTheDocumentSays) {
  long parameters = 0;
  for (const auto& [name, tensor] : Classifier({}, 0).named_parameters()) {
    parameters += tensor.numel();
  }
  EXPECT_EQ(parameters, 19178);
}

} // namespace
} // namespace scoreact
