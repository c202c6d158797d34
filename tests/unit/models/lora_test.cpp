/// LoRA of a UNet2DConditionModel against peft and diffusers (tests/golden/make_stable_diffusion_golden.py
/// made the files) and against the layouts of published LoRA files.
#include "models/stable_diffusion/lora.hpp"

#include "error/error.hpp"
#include "fixtures/pytorch_file.hpp"
#include "models/json_file.hpp"
#include "store/safetensors.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <fstream>
#include <set>

namespace scoreact {
namespace {

using testing_parity::relative_error;
using testing_store::TemporaryFolder;
using testing_support::source_path;

const std::string folder = "tests/data/unet2d_condition_sd1/";

struct LoraCase {
  LoraCase()
      : tensors(read_weights(source_path(folder + "case.safetensors"))),
        network(UNet2DCondition::load(source_path(folder))) {}
  at::Tensor run() {
    return network->forward(tensors.at("sample"), tensors.at("timestep"),
                            tensors.at("encoder_hidden_states"));
  }
  /// Moves the upper factors away from 0.
  void shake() {
    torch::NoGradGuard no_grad;
    for (const auto& [name, tensor] : lora_parameters(*network))
      at::Tensor(tensor).add_(torch::full_like(tensor, 0.05));
  }
  std::map<std::string, at::Tensor> tensors;
  std::shared_ptr<UNet2DCondition> network;
};

class LoraSpellings : public ::testing::TestWithParam<const char*> {};

TEST_P(LoraSpellings, AreReadWithTheOutputThatPeftGives) {
  LoraCase golden;
  const at::Tensor before = golden.run();
  load_lora(*golden.network, source_path(folder + GetParam()));
  EXPECT_LE(relative_error(golden.run(), golden.tensors.at("lora.output")), 1e-5);
  EXPECT_GT(relative_error(before, golden.tensors.at("lora.output")), 1e-2); // the LoRA does something
}

TEST(Lora, OfTorchsOwnFormatHasItsScaleToo) {
  const TemporaryFolder temporary;
  for (const auto& [from, to] : {std::pair{"lora_peft/adapter_model", "adapter_model.bin"},
                                 std::pair{"lora_processor", "pytorch_lora_weights.bin"}}) {
    const std::filesystem::path out = temporary.path() / from;
    std::filesystem::create_directories(out);
    NamedTensors tensors;
    for (const auto& [name, tensor] : read_weights(source_path(folder + from + ".safetensors")))
      tensors.emplace_back(name, tensor);
    write_pytorch_file((out / to).string(), tensors);
    const std::filesystem::path config = source_path(folder + "lora_peft/adapter_config.json");
    std::filesystem::copy_file(config, out / "adapter_config.json"); // beside the second one it has no say
    LoraCase golden;
    load_lora(*golden.network, out.string());
    EXPECT_LE(relative_error(golden.run(), golden.tensors.at("lora.output")), 1e-5) << to;
  }
}

INSTANTIATE_TEST_SUITE_P(Lora, LoraSpellings,
                         ::testing::Values("lora_diffusers.safetensors", "lora_diffusers_peft.safetensors",
                                           "lora_kohya.safetensors", "lora_processor.safetensors",
                                           "lora_peft"));

TEST(Lora, HasPeftsGradientsWithAndWithoutCheckpointing) {
  for (const bool checkpointing : {false, true}) {
    LoraCase golden;
    load_lora(*golden.network, source_path(folder + "lora_peft"));
    golden.network->set_gradient_checkpointing(checkpointing);
    const NamedTensors parameters = lora_parameters(*golden.network);
    std::vector<at::Tensor> wanted;
    for (const auto& [name, tensor] : parameters)
      wanted.push_back(tensor);
    const auto gradients = torch::autograd::grad({golden.run()}, wanted, {golden.tensors.at("cotangent")});
    ASSERT_EQ(parameters.size(),
              64u); // four transformers, two attentions each, four projections, two factors
    for (std::size_t i = 0; i < parameters.size(); ++i)
      EXPECT_LE(relative_error(gradients[i], golden.tensors.at("grad." + parameters[i].first)), 1e-4)
          << parameters[i].first;
  }
}

TEST(Lora, BeginsAsTheBaseAndSwitchedOffIsTheBaseBitForBit) {
  LoraCase golden;
  const at::Tensor base = golden.run();
  add_lora(*golden.network, {.rank = 2, .alpha = 4, .seed = 5});
  EXPECT_TRUE(torch::equal(golden.run(), base));
  golden.shake();
  EXPECT_FALSE(torch::equal(golden.run(), base));
  golden.network->set_lora_enabled(false);
  EXPECT_TRUE(torch::equal(golden.run(), base));
}

TEST(Lora, AloneIsTrained) {
  LoraCase golden;
  for (const at::Tensor& parameter : golden.network->parameters())
    parameter.set_requires_grad(true);
  add_lora(*golden.network, {.rank = 2});
  std::set<void*> trained;
  for (const auto& [name, tensor] : lora_parameters(*golden.network)) {
    EXPECT_TRUE(tensor.requires_grad()) << name;
    trained.insert(tensor.unsafeGetTensorImpl());
  }
  for (const at::Tensor& parameter : golden.network->parameters())
    EXPECT_EQ(parameter.requires_grad(), trained.contains(parameter.unsafeGetTensorImpl()));
}

TEST(Lora, SwitchedOffAfterTheForwardPassKeepsTheGradientOfThatPass) {
  LoraCase golden;
  add_lora(*golden.network, {.rank = 2});
  golden.shake();
  const at::Tensor up = lora_parameters(*golden.network)[1].second;
  const auto gradient = [&](bool checkpointing) {
    golden.network->set_lora_enabled(true);
    golden.network->set_gradient_checkpointing(checkpointing);
    const at::Tensor output = golden.run();
    golden.network->set_lora_enabled(false);
    return torch::autograd::grad({output}, {up}, {golden.tensors.at("cotangent")})[0];
  };
  EXPECT_LE(relative_error(gradient(true), gradient(false)), 1e-5);
}

TEST(Lora, DrawsPeftsInitialValuesFromTheSeed) {
  LoraCase golden;
  add_lora(*golden.network, {.rank = 4, .seed = 1});
  const auto first = lora_parameters(*golden.network);
  double most = 0;
  for (const auto& [name, tensor] : first) {
    if (name.ends_with(".up.weight")) {
      EXPECT_EQ(tensor.abs().max().item<double>(), 0) << name;
      continue;
    }
    const double bound = 1 / std::sqrt(static_cast<double>(tensor.size(1)));
    EXPECT_LE(tensor.abs().max().item<double>(), bound) << name;
    most = std::max(most, tensor.abs().max().item<double>() / bound);
  }
  EXPECT_GT(most, 0.9);
  EXPECT_FALSE(torch::equal(first[0].second, first[2].second));
  add_lora(*golden.network, {.rank = 4, .seed = 1});
  EXPECT_TRUE(torch::equal(lora_parameters(*golden.network)[0].second, first[0].second));
  add_lora(*golden.network, {.rank = 4, .seed = 2});
  EXPECT_FALSE(torch::equal(lora_parameters(*golden.network)[0].second, first[0].second));
}

TEST(Lora, IsWrittenInSpellingsThatAreReadBack) {
  const char* keep = std::getenv("SCOREACT_KEEP"); // for make_stable_diffusion_golden.py --check
  const TemporaryFolder temporary;
  const std::string out = keep ? keep : temporary.path().string();
  LoraCase golden;
  add_lora(*golden.network, {.rank = 2, .alpha = 3, .seed = 9});
  golden.shake();
  const at::Tensor output = golden.run().detach();
  const std::vector<std::pair<std::string, LoraSpelling>> written = {
      {"diffusers.safetensors", LoraSpelling::diffusers},
      {"peft.safetensors", LoraSpelling::peft},
      {"kohya.safetensors", LoraSpelling::kohya},
      {"peft_folder", LoraSpelling::peft},
      {"diffusers_folder", LoraSpelling::diffusers}};
  for (const auto& [name, spelling] : written) {
    save_lora(*golden.network, out + "/" + name, spelling);
    LoraCase again;
    load_lora(*again.network, out + "/" + name);
    EXPECT_LE(relative_error(again.run(), output), 1e-6) << name;
    EXPECT_EQ(read_lora_file(out + "/" + name).modules.front().scale, 1.0) << name;
  }
  if (keep)
    write_weights(out + "/output.safetensors", {{"output", output}});
}

TEST(Lora, HasExactlyTheTensorsOfPublishedFiles) {
  const TemporaryFolder temporary;
  const std::string config = (temporary.path() / "config.json").string();
  std::ofstream(config) << R"({"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768})";
  UNet2DCondition network(read_unet2d_condition_config(config));
  add_lora(network, {});
  for (const auto& [spelling, name] :
       {std::pair{LoraSpelling::diffusers, "diffusers"}, std::pair{LoraSpelling::peft, "peft"},
        std::pair{LoraSpelling::kohya, "kohya"}}) {
    std::map<std::string, std::string> expected, found;
    std::ifstream manifest(source_path("tests/data/sd15_lora_r4_" + std::string(name) + ".tsv"));
    for (std::string line; std::getline(manifest, line);)
      expected[line.substr(0, line.find('\t'))] = line.substr(line.find('\t') + 1);
    const std::string file = (temporary.path() / name).string() + ".safetensors";
    save_lora(network, file, spelling);
    long numbers = 0;
    for (const auto& [key, tensor] : read_weights(file)) {
      std::string& shape = found[key];
      for (const auto extent : tensor.sizes())
        shape += (shape.empty() ? "" : "x") + std::to_string(extent);
      numbers += key.ends_with(".alpha") ? 0 : tensor.numel();
    }
    EXPECT_EQ(expected.size(), spelling == LoraSpelling::kohya ? 384u : 256u);
    EXPECT_EQ(found, expected) << name;
    EXPECT_EQ(numbers, 797184);
  }
}

TEST(Lora, AdaptsOtherLinearMapsToo) {
  LoraCase golden;
  add_lora(*golden.network, {.rank = 2, .targets = {"ff.net.0.proj", "proj_in"}});
  EXPECT_EQ(lora_parameters(*golden.network).size(), 16u);
  golden.shake();
  const at::Tensor output = golden.run();
  const TemporaryFolder temporary;
  const std::string file = (temporary.path() / "lora.safetensors").string();
  save_lora(*golden.network, file, LoraSpelling::diffusers);
  EXPECT_EQ(read_lora_file(file).targets, (std::vector<std::string>{"ff.net.0.proj", "proj_in"}));
  LoraCase again;
  load_lora(*again.network, file);
  EXPECT_TRUE(torch::equal(again.run(), output));
}

TEST(Lora, NamesKohyasModules) {
  EXPECT_EQ(module_of_kohya("down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_out_0", "x"),
            "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0");
  EXPECT_EQ(module_of_kohya("mid_block_attentions_0_transformer_blocks_10_ff_net_0_proj", "x"),
            "mid_block.attentions.0.transformer_blocks.10.ff.net.0.proj");
  EXPECT_EQ(module_of_kohya("up_blocks_1_upsamplers_0_conv", "x"), "up_blocks.1.upsamplers.0.conv");
  EXPECT_THROW(module_of_kohya("input_blocks_1_1_proj_in", "x"), Error);
}

std::string message_of_loading_lora(const NamedTensors& tensors) {
  const TemporaryFolder temporary;
  const std::string file = (temporary.path() / "lora.safetensors").string();
  write_weights(file, tensors);
  LoraCase golden;
  try {
    load_lora(*golden.network, file);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  return "no error";
}

TEST(Lora, ExplainsFilesThatDoNotFit) {
  const std::string module = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
  const at::Tensor down = torch::zeros({2, 16}), up = torch::zeros({16, 2});
  const auto expect = [](const NamedTensors& tensors, const char* part) {
    const std::string message = message_of_loading_lora(tensors);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  EXPECT_EQ(message_of_loading_lora({{module + ".lora_A.weight", down}, {module + ".lora_B.weight", up}}),
            "no error");
  expect({{module + ".lora_A.weight", down}}, "only the lower one");
  expect({{module + ".lora_A.weight", down}, {module + ".lora_B.weight", torch::zeros({16, 3})}},
         "ranks differ: 2 and 3");
  expect({{module + ".lora_A.weight", torch::zeros({2, 15})}, {module + ".lora_B.weight", up}},
         "made for 15 -> 16 channels, the U-Net has 16 -> 16");
  expect({{"unet.mid_block.to_q.lora_A.weight", down}, {"unet.mid_block.to_q.lora_B.weight", up}},
         "no linear map of this name");
  expect({{"text_encoder_2.layers.0.q_proj.lora_A.weight", down}}, "SDXL");
  expect({{module + ".dora_scale", down}}, "expected a tensor of a LoRA");
  LoraCase golden;
  EXPECT_THROW(add_lora(*golden.network, {.rank = 0}), Error);
  EXPECT_THROW(add_lora(*golden.network, {.targets = {"to_z"}}), Error);
}

} // namespace
} // namespace scoreact
