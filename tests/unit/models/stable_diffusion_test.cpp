/// UNet2DConditionModel and AutoencoderKL against diffusers (tests/golden/make_stable_diffusion_golden.py
/// made the files) and against the published layouts.
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "models/stable_diffusion/channels_last.hpp"
#include "models/stable_diffusion/stable_diffusion.hpp"
#include "models/stable_diffusion/unet2d_condition.hpp"

#include "error/error.hpp"
#include "fixtures/fixtures.hpp"
#include "models/weights.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <sstream>

namespace scoreact {
namespace {

using testing_parity::expect_same_layout;
using testing_parity::read_manifest;
using testing_parity::relative_error;
using testing_store::TemporaryFolder;
using testing_support::source_path;

struct UnetCase {
  explicit UnetCase(const std::string& name)
      : tensors(read_weights(source_path("tests/data/unet2d_condition_" + name + "/case.safetensors"))),
        network(UNet2DCondition::load(source_path("tests/data/unet2d_condition_" + name))),
        sample(tensors.at("sample").clone().requires_grad_(true)),
        context(tensors.at("encoder_hidden_states").clone().requires_grad_(true)) {}

  at::Tensor run() { return network->forward(sample, tensors.at("timestep"), context); }

  /// Output and gradients by both inputs as diffusers has them.
  void expect_diffusers() {
    const at::Tensor output = run();
    EXPECT_LE(relative_error(output, tensors.at("output")), 1e-5);
    const auto gradients = torch::autograd::grad({output}, {sample, context}, {tensors.at("cotangent")});
    EXPECT_LE(relative_error(gradients[0], tensors.at("grad.sample")), 1e-4);
    EXPECT_LE(relative_error(gradients[1], tensors.at("grad.encoder_hidden_states")), 1e-4);
  }

  std::map<std::string, at::Tensor> tensors;
  std::shared_ptr<UNet2DCondition> network;
  at::Tensor sample, context;
};

class UnetGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(UnetGolden, GivesDiffusersOutputAndInputGradients) {
  UnetCase golden(GetParam());
  golden.expect_diffusers();
}

// The orders of memory mix inside: the fused norms give channels first, convolutions channels last.
TEST_P(UnetGolden, GivesDiffusersOutputAndInputGradientsWithChannelsLast) {
  UnetCase golden(GetParam());
  to_channels_last(*golden.network);
  for (const bool checkpointing : {false, true}) {
    golden.network->set_gradient_checkpointing(checkpointing);
    golden.expect_diffusers();
  }
}

TEST(ChannelsLast, TurnsTheWeightsOfConvolutionsOnly) {
  const auto network = UNet2DCondition::load(source_path("tests/data/unet2d_condition_sd1"));
  const at::Tensor before = network->named_parameters()["conv_in.weight"].clone();
  to_channels_last_on_tensor_cores(*network); // none on a host
  EXPECT_TRUE(network->named_parameters()["conv_in.weight"].is_contiguous());
  to_channels_last(*network);
  long turned = 0;
  for (const auto& item : network->named_parameters()) {
    const at::Tensor& weight = item.value();
    EXPECT_TRUE(weight.is_contiguous(weight.dim() == 4 ? at::MemoryFormat::ChannelsLast
                                                       : at::MemoryFormat::Contiguous))
        << item.key();
    turned += weight.dim() == 4 && !weight.is_contiguous();
    EXPECT_FALSE(weight.requires_grad()) << item.key();
  }
  EXPECT_GT(turned, 10);
  EXPECT_TRUE(network->named_parameters()["conv_in.weight"].equal(before));
}

TEST_P(UnetGolden, GivesTheSameGradientsWhenItKeepsOnlyInputsOfItsLayers) {
  UnetCase golden(GetParam());
  const auto gradients = [&](bool checkpointing) {
    golden.network->set_gradient_checkpointing(checkpointing);
    return torch::autograd::grad({golden.run()}, {golden.sample, golden.context},
                                 {golden.tensors.at("cotangent")});
  };
  const auto plain = gradients(false), recomputed = gradients(true);
  EXPECT_LE(relative_error(recomputed[0], plain[0]), 1e-5); // sums in another order
  EXPECT_LE(relative_error(recomputed[1], plain[1]), 1e-5);
}

TEST_P(UnetGolden, GivesGradientsToItsOwnWeightsUnderCheckpointing) {
  UnetCase golden(GetParam());
  for (const at::Tensor& parameter : golden.network->parameters())
    parameter.set_requires_grad(true);
  golden.sample.requires_grad_(false);
  const std::vector<at::Tensor> parameters = golden.network->parameters();
  const auto gradients = [&](bool checkpointing) {
    golden.network->set_gradient_checkpointing(checkpointing);
    return torch::autograd::grad({golden.run()}, parameters, {golden.tensors.at("cotangent")});
  };
  const auto plain = gradients(false), recomputed = gradients(true);
  for (std::size_t i = 0; i < plain.size(); ++i)
    EXPECT_LE(relative_error(recomputed[i], plain[i]), 1e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(Diffusers, UnetGolden, ::testing::Values("sd1", "lists"));

struct VaeCase {
  VaeCase()
      : tensors(read_weights(source_path("tests/data/autoencoder_kl/case.safetensors"))),
        network(AutoencoderKL::load(source_path("tests/data/autoencoder_kl"))),
        pixels(tensors.at("sample").clone().requires_grad_(true)),
        latents(tensors.at("latents").clone().requires_grad_(true)) {}

  /// The decoder's output and gradient as diffusers has them; the gradient.
  at::Tensor expect_diffusers_decoder() {
    const at::Tensor decoded = network->decode(latents);
    EXPECT_LE(relative_error(decoded, tensors.at("decoded")), 1e-5);
    const auto gradient = torch::autograd::grad({decoded}, {latents}, {tensors.at("cotangent.decoded")})[0];
    EXPECT_LE(relative_error(gradient, tensors.at("grad.latents")), 1e-4);
    return gradient;
  }

  std::map<std::string, at::Tensor> tensors;
  std::shared_ptr<AutoencoderKL> network;
  at::Tensor pixels, latents;
};

TEST(AutoencoderKlGolden, EncodesAsDiffusers) {
  VaeCase golden;
  const auto [mean, logvar] = golden.network->encode(golden.pixels);
  EXPECT_LE(relative_error(mean, golden.tensors.at("mean")), 1e-5);
  EXPECT_LE(relative_error(logvar, golden.tensors.at("logvar")), 1e-5);
  const auto gradient =
      torch::autograd::grad({mean}, {golden.pixels}, {golden.tensors.at("cotangent.mean")})[0];
  EXPECT_LE(relative_error(gradient, golden.tensors.at("grad.sample")), 1e-4);
}

TEST(AutoencoderKlGolden, DecodesAsDiffusersWithChannelsLast) {
  VaeCase golden;
  to_channels_last(*golden.network);
  golden.expect_diffusers_decoder();
}

TEST(AutoencoderKlGolden, DecodesAsDiffusersWithAndWithoutCheckpointing) {
  VaeCase golden;
  at::Tensor plain;
  for (const bool checkpointing : {false, true}) {
    golden.network->set_gradient_checkpointing(checkpointing);
    const at::Tensor gradient = golden.expect_diffusers_decoder();
    if (checkpointing) {
      EXPECT_LE(relative_error(gradient, plain), 1e-5);
    }
    plain = gradient;
  }
  EXPECT_EQ(golden.network->scaling_factor(), 0.5);
  EXPECT_EQ(golden.network->latent_channels(), 3);
  EXPECT_EQ(golden.network->downscale(), 2);
}

const std::string sd15_unet =
    R"({"_class_name": "UNet2DConditionModel", "sample_size": 64, "cross_attention_dim": 768,
  "mid_block_only_cross_attention": null, "upcast_attention": null, "a_key_of_the_future": [1, {}]})";
const std::string sd15_vae = R"({"_class_name": "AutoencoderKL", "sample_size": 512, "layers_per_block": 2,
  "block_out_channels": [128, 256, 512, 512], "scaling_factor": null, "force_upcast": true, "shift_factor": null,
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]})";

/// Writes a config.json and gives its path.
std::string config_of(const TemporaryFolder& folder, const std::string& text) {
  const std::string path = (folder.path() / "config.json").string();
  std::ofstream(path) << text;
  return path;
}

TEST(UNet2DCondition, HasExactlyTheTensorsOfStableDiffusion15) {
  const TemporaryFolder folder;
  const UNet2DCondition network(read_unet2d_condition_config(config_of(folder, sd15_unet)));
  EXPECT_EQ(network.parameters().size(), 686u);
  EXPECT_EQ(expect_same_layout(network, source_path("tests/data/sd15_unet.tsv")), 859520964);
}

TEST(AutoencoderKL, HasExactlyTheTensorsOfStableDiffusion15) {
  const TemporaryFolder folder;
  const AutoencoderKL network(read_autoencoder_kl_config(config_of(folder, sd15_vae)));
  EXPECT_EQ(network.parameters().size(), 248u);
  EXPECT_EQ(expect_same_layout(network, source_path("tests/data/sd15_vae.tsv")), 83653863);
  EXPECT_EQ(network.scaling_factor(), 0.18215);
  EXPECT_EQ(network.downscale(), 8);
}

std::string message_of(const std::string& text, const char* network) {
  const TemporaryFolder folder;
  try {
    const std::string path = config_of(folder, text);
    network == std::string("unet") ? (void)read_unet2d_condition_config(path)
                                   : (void)read_autoencoder_kl_config(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  return "no error";
}

/// `text` with one more key.
std::string with(std::string text, const std::string& entry) { return text.insert(1, entry + ", "); }

TEST(UNet2DCondition, RefusesWhatItDoesNotHave) {
  for (const auto& [entry, expected] : std::map<std::string, std::string>{
           {R"("class_embed_type": "timestep")", "class_embed_type = \"timestep\""},
           {R"("addition_embed_type": "text_time")", "addition_embed_type"},
           {R"("encoder_hid_dim_type": "text_proj")", "encoder_hid_dim_type"},
           {R"("dual_cross_attention": true)", "dual_cross_attention"},
           {R"("time_embedding_type": "fourier")", "time_embedding_type"},
           {R"("mid_block_type": "UNetMidBlock2DSimpleCrossAttn")", "mid_block_type"},
           {R"("act_fn": "gelu")", "act_fn"},
           {R"("dropout": 0.1)", "dropout"},
           {R"("attention_head_dim": 7)", "does not divide a block of 320 channels"},
           {R"("attention_head_dim": [8, 8])", "one for each of 4 levels"},
           {R"("norm_num_groups": 7)", "norm_num_groups = 7"},
           {R"("layers_per_block": "two")", "layers_per_block"},
           {R"("block_out_channels": [320, 640])", "each of the 2 block_out_channels"},
           {R"("down_block_types": ["AttnDownBlock2D"], "block_out_channels": [320])", "AttnDownBlock2D"},
       }) {
    const std::string message = message_of(with(sd15_unet, entry), "unet");
    EXPECT_NE(message.find(expected), std::string::npos) << entry << ": " << message;
  }
  EXPECT_NE(message_of(R"({"_class_name": "FlaxUNet2DConditionModel"})", "unet").find("Flax"),
            std::string::npos);
}

TEST(AutoencoderKL, RefusesWhatItDoesNotHave) {
  EXPECT_NE(message_of(with(sd15_vae, R"("latents_mean": [0])"), "vae").find("latents_mean"),
            std::string::npos);
  EXPECT_NE(
      message_of(R"({"_class_name": "AutoencoderKL", "up_block_types": ["AttnUpDecoderBlock2D"]})", "vae")
          .find("AttnUpDecoderBlock2D"),
      std::string::npos);
  EXPECT_NE(message_of(R"({"_class_name": "AsymmetricAutoencoderKL"})", "vae").find("Asymmetric"),
            std::string::npos);
}

TEST(UNet2DCondition, ExplainsInputsOfTheWrongShape) {
  UnetCase golden("sd1");
  const at::Tensor time = golden.tensors.at("timestep");
  EXPECT_THROW(golden.network->forward(golden.sample.slice(1, 0, 3), time, golden.context), Error);
  EXPECT_THROW(golden.network->forward(golden.sample, time[0], golden.context), Error);
  EXPECT_THROW(golden.network->forward(golden.sample, time, golden.context.slice(2, 0, 5)), Error);
  EXPECT_THROW(golden.network->forward(golden.sample, time, {}), Error);
}

TEST(UNet2DCondition, KeepsTheTimeInFloat32WhenItsWeightsAreHalf) {
  UnetCase golden("sd1");
  golden.network->to(at::kBFloat16);
  torch::NoGradGuard no_grad;
  const at::Tensor output = golden.run();
  EXPECT_EQ(output.scalar_type(), at::kFloat);
  EXPECT_LE(relative_error(output, golden.tensors.at("output")), 0.03);
}

class TinyFixture : public ::testing::Test {
 protected:
  static std::string bytes(const std::filesystem::path& path) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  std::string make(const char* folder, std::uint64_t seed) {
    const std::string directory = (temporary_.path() / folder).string();
    make_fixture("tiny-sd", {.directory = directory, .seed = seed, .dtype = at::kHalf});
    return directory;
  }
  const TemporaryFolder temporary_;
};

TEST_F(TinyFixture, HasTheTensorsOfThePublishedCheckpoint) {
  const std::filesystem::path folder = make("a", 1);
  for (const auto& [part, file] :
       {std::pair{"unet", "diffusion_pytorch_model"}, std::pair{"vae", "diffusion_pytorch_model"},
        std::pair{"text_encoder", "model"}}) {
    std::map<std::string, std::vector<std::int64_t>> shapes;
    for (const auto& [name, tensor] : read_weights((folder / part / file).string() + ".safetensors")) {
      EXPECT_EQ(tensor.scalar_type(), at::kHalf);
      shapes[name] = tensor.sizes().vec();
    }
    EXPECT_EQ(shapes, read_manifest(source_path(std::string("tests/data/tiny_sd_torch_") + part + ".tsv")))
        << part;
  }
}

TEST_F(TinyFixture, IsTheSameForTheSameSeedAndLoads) {
  const std::filesystem::path a = make("a", 1), again = make("again", 1), other = make("other", 2);
  const std::string file = "unet/diffusion_pytorch_model.safetensors";
  EXPECT_EQ(bytes(a / file), bytes(again / file));
  EXPECT_NE(bytes(a / file), bytes(other / file));
  EXPECT_EQ(bytes(a / "tokenizer/vocab.json"), bytes(other / "tokenizer/vocab.json"));
  torch::NoGradGuard no_grad;
  const auto unet = UNet2DCondition::load((a / "unet").string());
  const at::Tensor noise = torch::randn({1, 4, 32, 32});
  const at::Tensor output = unet->forward(noise, torch::tensor({500.0f}), torch::randn({1, 77, 32}));
  EXPECT_EQ(output.sizes(), noise.sizes());
  EXPECT_LT(output.abs().max().item<double>(), 100);
  EXPECT_GT(output.std().item<double>(), 1e-3);
  const auto vae = AutoencoderKL::load((a / "vae").string());
  const at::Tensor pixels = vae->decode(noise.slice(2, 0, 8).slice(3, 0, 8));
  EXPECT_EQ(pixels.sizes(), (std::vector<std::int64_t>{1, 3, 16, 16}));
  EXPECT_LT(pixels.abs().max().item<double>(), 100);
}

TEST_F(TinyFixture, HasAnOffsetOfOneStepThoughAnOldSchedulerFileHasNone) {
  const std::filesystem::path folder = make("old", 1), file = folder / "scheduler/scheduler_config.json";
  const std::string with = bytes(file), key = "\"steps_offset\": 1";
  ASSERT_NE(with.find(key), std::string::npos);
  std::ofstream(file) << std::string(with).replace(with.find(key), key.size(), "\"steps_offset\": 0");
  const auto model = StableDiffusion::load(folder.string(), {}, {{"a cat"}, ""}, {}, at::kCPU);
  EXPECT_EQ(model->scheduler().steps_offset, 1);
}

TEST(MakeFixture, NamesWhatItKnows) {
  try {
    make_fixture("sd16", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_NE(std::string(error.what()).find("tiny-sd"), std::string::npos);
  }
}

} // namespace
} // namespace scoreact
