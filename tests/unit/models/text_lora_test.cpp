/// LoRA of a text encoder against diffusers (tests/golden/make_text_lora_golden.py made the files).
#include "error/error.hpp"
#include "models/stable_diffusion/lora.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <functional>

namespace scoreact {
namespace {

using testing_parity::relative_error;
using testing_store::TemporaryFolder;
using testing_support::source_path;

const std::string text_lora_folder = "tests/data/text_encoder_lora/";

/// Last hidden states of the golden's texts, [2, 9, 16], with a LoRA or without.
at::Tensor states_with(const LoraFile& lora) {
  const auto case_tensors = read_weights(source_path("tests/data/clip_text_eos/case.safetensors"));
  const auto encoder = ClipText::load(source_path("tests/data/clip_text_eos"), at::kCPU);
  merge_lora(*encoder, lora, "a LoRA");
  torch::NoGradGuard no_grad;
  return encoder->forward(case_tensors.at("input_ids")).last_hidden_state;
}

class TextLoraSpellings : public ::testing::TestWithParam<const char*> {};

TEST_P(TextLoraSpellings, AreReadWithTheStatesThatDiffusersGives) {
  const std::string name = GetParam();
  const at::Tensor expected = read_weights(source_path(text_lora_folder + "case.safetensors")).at(name);
  const LoraFile lora = read_lora_file(source_path(text_lora_folder + name + ".safetensors"));
  EXPECT_EQ(lora.modules.size(), name == "former" ? 0u : 1u); // the U-Net's part stays apart
  EXPECT_EQ(lora.text_modules.size(), name == "former" ? 8u : 12u);
  EXPECT_LE(relative_error(states_with(lora), expected), 1e-5);
  EXPECT_GT(relative_error(states_with({}), expected), 1e-2); // the LoRA does something
}

INSTANTIATE_TEST_SUITE_P(TextLora, TextLoraSpellings,
                         ::testing::Values("diffusers", "peft", "kohya", "former"));

TEST(TextLora, IsWrittenInSpellingsThatAreReadBack) {
  const char* keep = std::getenv("SCOREACT_KEEP"); // for make_text_lora_golden.py --check
  const TemporaryFolder temporary;
  const std::string out = keep ? keep : temporary.path().string();
  const LoraFile lora = read_lora_file(source_path(text_lora_folder + "diffusers.safetensors"));
  const at::Tensor output = states_with(lora);
  LoraFile text_alone;
  text_alone.text_modules = lora.text_modules;
  for (const auto& [name, spelling] :
       {std::pair{"diffusers", LoraSpelling::diffusers}, std::pair{"peft", LoraSpelling::peft},
        std::pair{"kohya", LoraSpelling::kohya}}) {
    const std::string file = out + "/" + name + ".safetensors";
    write_lora_file(lora, file, spelling);
    const LoraFile again = read_lora_file(file);
    EXPECT_LE(relative_error(states_with(again), output), 1e-6) << name;
    ASSERT_EQ(again.modules.size(), 1u) << name;
    const LoraModule &found = again.modules.front(), &wanted = lora.modules.front();
    EXPECT_EQ(found.name, wanted.name);
    EXPECT_TRUE(
        torch::allclose(found.scale * found.up.mm(found.down), wanted.scale * wanted.up.mm(wanted.down)));
    EXPECT_EQ(found.scale, 1.0) << name; // it went into the upper factor
  }
  write_lora_file(text_alone, out + "/text_folder", LoraSpelling::peft);
  EXPECT_LE(relative_error(states_with(read_lora_file(out + "/text_folder")), output), 1e-6);
  EXPECT_THROW(write_lora_file(lora, out + "/both_folder", LoraSpelling::peft), Error);
  if (keep)
    write_weights(out + "/output.safetensors", {{"output", output}});
}

TEST(TextLora, HasItsNamesWithAndWithoutTheTowersName) {
  const std::string map = "text_model.encoder.layers.10.self_attn.out_proj";
  EXPECT_EQ(text_module_of_kohya("text_model_encoder_layers_10_self_attn_out_proj", "x"), map);
  EXPECT_EQ(text_module_of_kohya("text_model_encoder_layers_0_mlp_fc1", "x"),
            "text_model.encoder.layers.0.mlp.fc1");
  EXPECT_THROW(text_module_of_kohya("text_model_decoder_layers_0_mlp_fc1", "x"), Error);
  const TemporaryFolder temporary;
  const std::string file = (temporary.path() / "lora.safetensors").string();
  const NamedTensors bare = {
      {"text_encoder.encoder.layers.10.self_attn.out_proj.lora_A.weight", torch::zeros({1, 3})},
      {"text_encoder.encoder.layers.10.self_attn.out_proj.lora_B.weight", torch::zeros({3, 1})}};
  write_weights(file, bare);
  EXPECT_EQ(read_lora_file(file).text_modules.front().name, map);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  return "no error";
}

TEST(TextLora, ExplainsWhatDoesNotFit) {
  LoraFile lora = read_lora_file(source_path(text_lora_folder + "former.safetensors"));
  lora.text_modules.front().name = "text_model.encoder.layers.7.self_attn.k_proj";
  EXPECT_EQ(message_of([&] { states_with(lora); }), "a LoRA: text_model.encoder.layers.7.self_attn.k_proj: "
                                                    "the text encoder has no linear map of this name");
  lora = read_lora_file(source_path(text_lora_folder + "former.safetensors"));
  lora.text_modules.front().down = torch::zeros({2, 15});
  EXPECT_NE(message_of([&] {
              states_with(lora);
            }).find("made for 15 -> 16 channels, the text encoder has 16 -> 16"),
            std::string::npos);
  const TemporaryFolder temporary;
  const std::string file = (temporary.path() / "lora.safetensors").string();
  write_weights(file,
                {{"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", torch::zeros({1, 3})}});
  EXPECT_NE(message_of([&] { read_lora_file(file); }).find("SDXL"), std::string::npos);
}

} // namespace
} // namespace scoreact
