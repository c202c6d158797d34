/// UNet2DModel against diffusers (tests/golden/make_unet2d_golden.py made the files) and against the
/// published layout of google/ddpm-cifar10-32.
#include "models/pixel_unet/pixel_unet.hpp"

#include "error/error.hpp"
#include "models/pixel_unet/unet2d.hpp"
#include "models/weights.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace scoreact {
namespace {

using testing_parity::relative_error;
using testing_store::TemporaryFolder;
using testing_support::source_path;

struct Case {
  std::string folder;
  std::map<std::string, at::Tensor> tensors;
  std::shared_ptr<PixelUnet> model;
  at::Tensor labels;
};

Case read_case(const std::string& name) {
  Case golden;
  golden.folder = source_path("tests/data/unet2d_" + name);
  golden.tensors = read_weights(golden.folder + "/case.safetensors");
  golden.model = PixelUnet::load(golden.folder, {}, c10::Device(c10::kCPU));
  if (golden.tensors.contains("class_labels")) {
    golden.labels = golden.tensors.at("class_labels");
  }
  return golden;
}

UnetConfig tiny_config() {
  UnetConfig config;
  config.sample_height = config.sample_width = 8;
  config.in_channels = config.out_channels = 1;
  config.block_out_channels = {8, 16};
  config.down_block_types = {"DownBlock2D", "DownBlock2D"};
  config.up_block_types = {"UpBlock2D", "UpBlock2D"};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  config.num_class_embeds = 4;
  return config;
}

SchedulerConfig scaled_linear() {
  ScheduleOptions options;
  options.kind = "scaled_linear";
  return scheduler_from_options(options);
}

class Unet2dGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(Unet2dGolden, GivesDiffusersOutputAndInputGradient) {
  Case golden = read_case(GetParam());
  at::Tensor sample = golden.tensors.at("sample").clone().requires_grad_(true);
  const at::Tensor output = golden.model->forward(sample, golden.tensors.at("timestep"), golden.labels);
  EXPECT_TRUE(output.is_contiguous());
  EXPECT_LE(relative_error(output, golden.tensors.at("output")), 1e-5);
  const at::Tensor gradient = torch::autograd::grad({output}, {sample}, {golden.tensors.at("cotangent")})[0];
  EXPECT_LE(relative_error(gradient, golden.tensors.at("grad.sample")), 1e-4);
}

TEST_P(Unet2dGolden, DrawsTheInitialValuesThatPyTorchDrawsFromTheSameSeed) {
  Case golden = read_case(GetParam());
  PixelUnet fresh(golden.model->config(), golden.model->scheduler(), 0);
  double sum = 0, squares = 0;
  for (const auto& [name, tensor] : fresh.named_parameters()) {
    sum += tensor.to(at::kDouble).sum().item<double>();
    squares += tensor.to(at::kDouble).square().sum().item<double>();
  }
  const at::Tensor expected = golden.tensors.at("initial");
  EXPECT_NEAR(sum, expected[0].item<double>(), 1e-6 * std::abs(expected[0].item<double>()));
  EXPECT_NEAR(squares, expected[1].item<double>(), 1e-6 * expected[1].item<double>());
}

TEST_P(Unet2dGolden, SurvivesWritingAndReading) {
  Case golden = read_case(GetParam());
  const char* keep = std::getenv("SCOREACT_KEEP"); // for make_unet2d_golden.py --check
  const TemporaryFolder temporary;
  const std::string folder =
      keep ? std::string(keep) + "/" + GetParam() : (temporary.path() / "model").string();
  golden.model->save(folder);
  const auto again = PixelUnet::load(folder, {}, c10::Device(c10::kCPU));
  torch::NoGradGuard no_grad;
  const at::Tensor sample = golden.tensors.at("sample"), timestep = golden.tensors.at("timestep");
  const at::Tensor output = golden.model->forward(sample, timestep, golden.labels);
  EXPECT_TRUE(torch::equal(again->forward(sample, timestep, golden.labels), output));
  EXPECT_EQ(again->schedule().alphas_cumprod(), golden.model->schedule().alphas_cumprod());
  if (keep) {
    NamedTensors written = {{"sample", sample}, {"timestep", timestep}, {"output", output}};
    if (golden.labels.defined()) {
      written.emplace_back("class_labels", golden.labels);
    }
    write_weights(folder + ".safetensors", written);
  }
}

INSTANTIATE_TEST_SUITE_P(Diffusers, Unet2dGolden, ::testing::Values("class", "legacy"));

TEST(Unet2d, HasExactlyTheTensorsOfDdpmCifar10) {
  std::map<std::string, std::string> expected;
  std::ifstream manifest(source_path("tests/data/ddpm_cifar10_32.tsv"));
  for (std::string line; std::getline(manifest, line);) {
    if (!line.empty() && line[0] != '#') {
      const std::size_t tab = line.find('\t');
      expected[line.substr(0, tab)] = line.substr(tab + 1);
    }
  }
  ASSERT_EQ(expected.size(), 328u);
  const unet::Unet2d network(read_unet_config(source_path("inputs/cifar10/ddpm-cifar10-32/config.json")),
                             std::nullopt);
  std::map<std::string, std::string> found;
  long parameters = 0;
  for (const auto& item : network.named_parameters()) {
    std::string shape;
    for (const auto extent : item.value().sizes()) {
      shape += (shape.empty() ? "" : "x") + std::to_string(extent);
    }
    found[item.key()] = shape;
    parameters += item.value().numel();
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(parameters, 35746307);
}

TEST(TimestepEmbedding, HasTheValuesOfTheReference) {
  const at::Tensor sd = unet::timestep_embedding(torch::tensor({981.0f}), 320, true, 0)[0];
  EXPECT_NEAR(sd[0].item<double>(), 0.679957, 1e-4);
  EXPECT_NEAR(sd[1].item<double>(), -0.798430, 1e-3);
  EXPECT_NEAR(sd[159].item<double>(), 0.994606, 1e-5);
  EXPECT_NEAR(sd[160].item<double>(), 0.733252, 1e-4);
  EXPECT_NEAR(sd[319].item<double>(), 0.103726, 1e-5);
  const at::Tensor ddpm = unet::timestep_embedding(torch::tensor({500.0f}), 128, false, 1)[0];
  EXPECT_NEAR(ddpm[0].item<double>(), -0.467772, 1e-4);
  EXPECT_NEAR(ddpm[63].item<double>(), 0.049979, 1e-5);
  EXPECT_NEAR(ddpm[64].item<double>(), -0.883849, 1e-4);
  EXPECT_NEAR(ddpm[127].item<double>(), 0.998750, 1e-5);
}

TEST(PixelUnet, TakesPromptMinusOneForTheNullClass) {
  PixelUnet model(tiny_config(), scaled_linear(), 3);
  EXPECT_EQ(model.num_prompts(), 3);
  EXPECT_EQ(model.sample_shape(), (std::vector<long>{1, 8, 8}));
  torch::NoGradGuard no_grad;
  const at::Tensor x = torch::randn({2, 1, 8, 8});
  const RowTimes times = row_times(model.schedule(), {{0.5, model.schedule().abar(0.5)}}, 2, x);
  const at::Tensor null_condition = model.predict(x, times, torch::tensor({-1L, 1L}));
  EXPECT_TRUE(torch::equal(null_condition, model.forward(x, times.timestep, torch::tensor({3L, 1L}))));
  EXPECT_FALSE(torch::allclose(null_condition[0], model.predict(x, times, torch::tensor({0L, 1L}))[0]));
}

TEST(PixelUnet, FrozenCopyKeepsItsWeightsWhenThePolicyMoves) {
  PixelUnet model(tiny_config(), scaled_linear(), 3);
  const auto frozen = model.frozen_copy();
  const at::Tensor x = torch::randn({2, 1, 8, 8});
  const RowTimes times = row_times(model.schedule(), {{0.5, model.schedule().abar(0.5)}}, 2, x);
  const at::Tensor prompt = torch::tensor({0L, 2L});
  torch::NoGradGuard no_grad;
  const at::Tensor before = model.predict(x, times, prompt);
  EXPECT_TRUE(torch::equal(frozen->predict(x, times, prompt), before));
  for (auto& [name, tensor] : model.named_parameters()) {
    EXPECT_TRUE(tensor.requires_grad()) << name;
    tensor.add_(0.01);
  }
  EXPECT_TRUE(torch::equal(frozen->predict(x, times, prompt), before));
  for (const auto& [name, tensor] : frozen->named_parameters()) {
    EXPECT_FALSE(tensor.requires_grad()) << name;
  }
}

TEST(PixelUnet, RefusesImagesThatItsLevelsCannotHalve) {
  PixelUnet model(tiny_config(), scaled_linear(), 3);
  EXPECT_THROW(model.forward(torch::zeros({1, 1, 7, 8}), torch::zeros({1}), torch::zeros({1}, torch::kLong)),
               Error);
  UnetConfig odd = tiny_config();
  odd.sample_width = 9;
  EXPECT_THROW(PixelUnet(odd, scaled_linear(), 0), Error);
}

std::string message_of_loading(const std::string& folder) {
  try {
    PixelUnet::load(folder, {}, c10::Device(c10::kCPU));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(PixelUnet, NamesMissingUnexpectedAndMisshapenTensors) {
  const TemporaryFolder temporary;
  const std::string folder = (temporary.path() / "model").string();
  const PixelUnet model(tiny_config(), scaled_linear(), 3);
  model.save(folder);
  const std::string file = folder + "/diffusion_pytorch_model.safetensors";
  auto tensors = read_weights(file);
  tensors["conv_in.weight"] = torch::zeros({8, 1, 5, 5});
  tensors.erase("conv_out.bias");
  tensors["surplus.weight"] = torch::zeros({1});
  write_weights(file, NamedTensors(tensors.begin(), tensors.end()));
  const std::string message = message_of_loading(folder);
  EXPECT_NE(message.find("missing tensor: conv_out.bias"), std::string::npos) << message;
  EXPECT_NE(message.find("unexpected tensor: surplus.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("conv_in.weight (expected [8, 1, 3, 3], found [8, 1, 5, 5])"), std::string::npos)
      << message;
}

TEST(PixelUnet, ExplainsWhatIsWrongWithAFolder) {
  const TemporaryFolder temporary;
  const std::string folder = (temporary.path() / "model").string();
  EXPECT_NE(message_of_loading(folder).find("no such folder"), std::string::npos);
  PixelUnet(tiny_config(), scaled_linear(), 3).save(folder);
  const std::string config = folder + "/config.json";
  std::stringstream text;
  text << std::ifstream(config).rdbuf();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text.str();
    const std::size_t found = changed.find(from);
    EXPECT_NE(found, std::string::npos) << from;
    std::ofstream(config) << changed.replace(found, from.size(), to);
    return message_of_loading(folder);
  };
  EXPECT_NE(with("\"UNet2DModel\"", "\"UNet3DModel\"").find("found \"UNet3DModel\""), std::string::npos);
  EXPECT_NE(with("\"positional\"", "\"fourier\"").find("time_embedding_type"), std::string::npos);
  EXPECT_NE(with("\"DownBlock2D\"", "\"SkipDownBlock2D\"").find("SkipDownBlock2D"), std::string::npos);
  EXPECT_NE(with("\"norm_num_groups\": 4", "\"norm_num_groups\": 3").find("norm_num_groups = 3"),
            std::string::npos);
  EXPECT_NE(with("\"layers_per_block\": 1", "\"layers_per_block\": \"one\"").find("layers_per_block"),
            std::string::npos);
  std::ofstream(config) << text.str();
  EXPECT_EQ(message_of_loading(folder), "no error");
  std::filesystem::remove(folder + "/diffusion_pytorch_model.safetensors");
  EXPECT_NE(message_of_loading(folder).find("expected one of diffusion_pytorch_model.safetensors"),
            std::string::npos);
}

} // namespace
} // namespace scoreact
