// The Inception network of the FID against pytorch-fid and torch-fidelity, all with the weights of
// make-fixture inception (tests/golden/make_inception_golden.py made the numbers).
#include "models/inception/inception_fid.hpp"

#include "error/error.hpp"
#include "evaluation/frechet.hpp"
#include "fixtures/fixtures.hpp"
#include "models/inception/inception_input.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

using testing_parity::read_manifest;
using testing_parity::relative_error;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;
using testing_support::source_path;

constexpr double kOutputs = 1e-5;

/// The network and the goldens, once for all tests.
class Inception : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_fixture("inception", {folder_->path().string()});
    network_ = InceptionFid::load(folder_->path().string(), c10::Device(c10::kCPU));
    case_ = read_weights(source_path("tests/data/inception/case.safetensors"));
  }
  static void TearDownTestSuite() {
    network_.reset();
    folder_.reset();
    case_.clear();
  }

  static at::Tensor features(const char* pictures, InputConvention convention, long dims = 2048) {
    torch::NoGradGuard no_grad;
    return network_->features(inception_input(case_.at(pictures).to(at::kFloat), convention), dims);
  }

  static std::unique_ptr<TemporaryFolder> folder_;
  static std::shared_ptr<InceptionFid> network_;
  static std::map<std::string, at::Tensor> case_;
};

std::unique_ptr<TemporaryFolder> Inception::folder_;
std::shared_ptr<InceptionFid> Inception::network_;
std::map<std::string, at::Tensor> Inception::case_;

TEST_F(Inception, HasTheTensorsOfTheWeightFile) {
  std::map<std::string, std::vector<std::int64_t>> found;
  for (const auto& [name, tensor] : network_->named_tensors())
    found[name] = tensor.sizes().vec();
  long numbers = 0; // without the batch statistics
  for (const at::Tensor& parameter : network_->parameters())
    numbers += parameter.numel();
  EXPECT_EQ(found, read_manifest(source_path("tests/data/inception/layout.tsv")));
  EXPECT_EQ(numbers, 23850960);
}

TEST_F(Inception, GivesTheFeaturesOfPytorchFid) {
  for (const long dims : InceptionFid::kDims)
    EXPECT_LT(relative_error(features("pictures", InputConvention::pytorch_fid, dims),
                             case_.at(fmt::format("pytorch_fid.{}", dims))),
              kOutputs)
        << dims;
}

TEST_F(Inception, GivesTheFeaturesAndLogitsOfTorchFidelity) {
  for (const long dims : InceptionFid::kDims)
    EXPECT_LT(relative_error(features("pictures", InputConvention::torch_fidelity, dims),
                             case_.at(fmt::format("torch_fidelity.{}", dims))),
              kOutputs)
        << dims;
  EXPECT_LT(relative_error(network_->logits(features("pictures", InputConvention::torch_fidelity)),
                           case_.at("torch_fidelity.logits")),
            kOutputs);
}

TEST_F(Inception, TheTwoConventionsDiffer) {
  EXPECT_GT(
      relative_error(features("pictures", InputConvention::torch_fidelity), case_.at("pytorch_fid.2048")),
      1e-3);
}

/// In float64: ReLU and the maxima make the gradient jump, and in float32 some of them fall to the other
/// side.
TEST_F(Inception, HasTheGradientOfPytorchFid) {
  const auto network = InceptionFid::load(folder_->path().string(), c10::Device(c10::kCPU));
  network->to(at::kDouble);
  const at::Tensor inp = (case_.at("pictures").to(at::kDouble) / 255).requires_grad_(true);
  const at::Tensor output = network->features(pytorch_fid_input(inp));
  const auto gradient = torch::autograd::grad({output}, {inp}, {case_.at("cotangent").to(at::kDouble)});
  EXPECT_LT(relative_error(gradient[0], case_.at("grad.inp")), 1e-6);
}

TEST_F(Inception, IsTheSameNetworkWithAndWithoutAGraph) {
  at::Tensor inp = case_.at("pictures").to(at::kFloat) / 255;
  inp.requires_grad_(true);
  EXPECT_LT(relative_error(network_->features(pytorch_fid_input(inp)), case_.at("pytorch_fid.2048")),
            kOutputs);
}

TEST_F(Inception, GivesTheDistancesOfPytorchFidAndTorchFidelity) {
  for (const auto& [convention, name] :
       {std::pair(InputConvention::pytorch_fid, "fid.pytorch_fid.64"),
        std::pair(InputConvention::torch_fidelity, "fid.torch_fidelity.64")}) {
    const double expected = case_.at(name).item<double>();
    const double found = frechet_distance(fit_gaussian(features("set.a", convention, 64)),
                                          fit_gaussian(features("set.b", convention, 64)));
    EXPECT_NEAR(found, expected, 1e-4 * expected) << name;
  }
}

TEST_F(Inception, ReadsSafetensorsAndLeavesCountersOut) {
  NamedTensors tensors = network_->named_tensors();
  tensors.emplace_back("Mixed_5b.branch1x1.bn.num_batches_tracked", at::zeros({}, at::kLong));
  const TemporaryFolder folder;
  const std::string file = (folder / (std::string(InceptionFid::kStem) + ".safetensors")).string();
  write_weights(file, tensors);
  const auto again = InceptionFid::load(folder.path().string(), c10::Device(c10::kCPU));
  const at::Tensor x = at::linspace(-1, 1, 3 * 299 * 299).view({1, 3, 299, 299});
  torch::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(again->features(x, 192), network_->features(x, 192)));
  tensors.erase(tensors.begin());
  write_weights(file, tensors);
  expect_error(ExitCode::data, "1 missing tensor", [&] { InceptionFid::load(file, c10::Device(c10::kCPU)); });
}

TEST(InceptionWeights, AreNamedWhereTheyAreMissing) {
  const TemporaryFolder folder;
  expect_error(ExitCode::missing_input, "pt_inception-2015-12-05-6726825d.pth",
               [&] { InceptionFid::load(folder.path().string(), c10::Device(c10::kCPU)); });
}

TEST(ResizeLikeTensorflow1, HasNoHalfPixelAndClampsTheUpperNeighbour) {
  const at::Tensor x = at::arange(4, at::kFloat).view({1, 1, 2, 2});
  const at::Tensor expected = at::tensor({0.0, 0.5, 1.0, 1.0, 1.0, 1.5, 2.0, 2.0, //
                                          2.0, 2.5, 3.0, 3.0, 2.0, 2.5, 3.0, 3.0},
                                         at::kFloat);
  EXPECT_TRUE(at::equal(resize_like_tensorflow1(x, 4, 4).flatten(), expected));
}

TEST(ResizeLikeTensorflow1, HasTheBitsOfTorchFidelity) {
  const auto golden = read_weights(source_path("tests/data/inception/case.safetensors"));
  const at::Tensor x = golden.at("pictures").narrow(0, 0, 1).to(at::kFloat);
  EXPECT_TRUE(at::equal(resize_like_tensorflow1(x, 11, 90), golden.at("tensorflow1.resized")));
}

} // namespace
} // namespace scoreact
