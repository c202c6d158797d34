/// CLIP against transformers (tests/golden/make_clip_golden.py made the files) and against the published
/// layouts of clip-vit-large-patch14.
#include "models/clip/clip.hpp"

#include "error/error.hpp"
#include "models/clip/openai_names.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

using testing_parity::expect_same_layout;
using testing_parity::relative_error;
using testing_store::expect_error;
using testing_store::TemporaryFolder;
using testing_support::source_path;

const c10::Device cpu = c10::Device(c10::kCPU);

class ClipTextGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(ClipTextGolden, GivesTransformersStates) {
  const std::string folder = source_path(std::string("tests/data/clip_text_") + GetParam());
  auto golden = read_weights(folder + "/case.safetensors");
  const auto model = ClipText::load(folder, cpu);
  torch::NoGradGuard no_grad;
  const at::Tensor ids = golden.at("input_ids"), mask = golden.at("attention_mask");
  const ClipTextOutput plain = model->forward(ids);
  EXPECT_LE(relative_error(plain.last_hidden_state, golden.at("last_hidden_state")), 1e-5);
  EXPECT_LE(relative_error(plain.pooler_output, golden.at("pooler_output")), 1e-5);
  const ClipTextOutput masked = model->forward(ids, mask);
  EXPECT_LE(relative_error(masked.last_hidden_state, golden.at("masked.last_hidden_state")), 1e-5);
  EXPECT_LE(relative_error(masked.pooler_output, golden.at("masked.pooler_output")), 1e-5);
  const at::Tensor skipped = model->forward(ids, {}, 1).last_hidden_state;
  EXPECT_LE(relative_error(skipped, golden.at("clip_skip_1")), 1e-5);
  // the three differ: a mask or a skip that does nothing would pass above otherwise
  EXPECT_GT(relative_error(plain.last_hidden_state, masked.last_hidden_state), 1e-3);
  EXPECT_GT(relative_error(plain.last_hidden_state, skipped), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Transformers, ClipTextGolden, ::testing::Values("eos", "legacy"));

TEST(ClipText, PoolsAtTheFirstEndOrForOldFilesAtTheLargestId) {
  const std::string folder = source_path("tests/data/clip_text_");
  const at::Tensor ids = torch::tensor({{38, 39, 5, 39}, {39, 6, 38, 1}}, torch::kInt64);
  for (const char* name : {"eos", "legacy"}) { // 39 is both the end and the largest
    const auto model = ClipText::load(folder + name, cpu);
    const ClipTextOutput out = model->forward(ids);
    EXPECT_TRUE(torch::equal(out.pooler_output[0], out.last_hidden_state[0][1]));
    EXPECT_TRUE(torch::equal(out.pooler_output[1], out.last_hidden_state[1][0]));
  }
  const at::Tensor no_end = torch::tensor({{4, 7, 30, 2}}, torch::kInt64);
  const ClipTextOutput eos = ClipText::load(folder + "eos", cpu)->forward(no_end);
  EXPECT_TRUE(torch::equal(eos.pooler_output[0], eos.last_hidden_state[0][0]));
  const ClipTextOutput legacy = ClipText::load(folder + "legacy", cpu)->forward(no_end);
  EXPECT_TRUE(torch::equal(legacy.pooler_output[0], legacy.last_hidden_state[0][2]));
}

TEST(ClipText, NamesShapesThatItCannotTake) {
  const auto model = ClipText::load(source_path("tests/data/clip_text_eos"), cpu);
  const at::Tensor ids = torch::zeros({1, 9}, torch::kInt64);
  expect_error(ExitCode::data, "input_ids: expected [rows, 1 .. 9], found [1, 10]", [&] {
    model->forward(torch::zeros({1, 10}, torch::kInt64));
  });
  expect_error(ExitCode::data, "attention_mask: expected the shape of input_ids", [&] {
    model->forward(ids, torch::ones({1, 8}, torch::kInt64));
  });
  expect_error(ExitCode::data, "has 2 layers; 2 of them cannot be skipped",
               [&] { model->forward(ids, {}, 2); });
}

TEST(ClipText, TakesItsHalfOutOfAClipModel) {
  const std::string folder = source_path("tests/data/clip_model");
  auto golden = read_weights(folder + "/case.safetensors");
  const auto whole = Clip::load(folder, cpu);
  const auto half = ClipText::load(folder, cpu);
  const at::Tensor ids = golden.at("input_ids");
  EXPECT_TRUE(torch::equal(half->forward(ids).last_hidden_state, whole->text_states(ids).last_hidden_state));
}

/// Everything that golden's file tells about the two towers.
void expect_golden(const Clip& model, std::map<std::string, at::Tensor> golden) {
  at::Tensor pixels = golden.at("pixel_values").requires_grad_(true);
  const at::Tensor image = model.image_embeds(pixels);
  EXPECT_LE(relative_error(image, golden.at("image_features")), 1e-5);
  const at::Tensor gradient = torch::autograd::grad({image}, {pixels}, {golden.at("cotangent")})[0];
  EXPECT_LE(relative_error(gradient, golden.at("grad.pixel_values")), 1e-4);
  torch::NoGradGuard no_grad;
  const at::Tensor text = model.text_embeds(golden.at("input_ids"));
  EXPECT_LE(relative_error(text, golden.at("text_features")), 1e-5);
  const at::Tensor cosines = at::matmul(image / image.norm(2, 1, true), (text / text.norm(2, 1, true)).t());
  EXPECT_LE(relative_error(cosines * model.logit_scale().exp(), golden.at("logits_per_image")), 1e-5);
}

TEST(Clip, GivesTransformersEmbeddingsAndPixelGradient) {
  const std::string folder = source_path("tests/data/clip_model");
  expect_golden(*Clip::load(folder, cpu), read_weights(folder + "/case.safetensors"));
  const auto vision = ClipVision::load(folder, cpu);
  auto golden = read_weights(folder + "/case.safetensors");
  EXPECT_LE(relative_error(vision->forward(golden.at("pixel_values")), golden.at("image_features")), 1e-5);
  expect_error(ExitCode::data, "pixel_values: expected [n, 3, 12, 12], found [1, 3, 12, 8]", [&] {
    vision->forward(torch::zeros({1, 3, 12, 8}));
  });
}

TEST(Clip, ReadsOpenAiNamesFromAFileOrItsFolder) {
  const std::string folder = source_path("tests/data/clip_openai");
  auto golden = read_weights(source_path("tests/data/clip_model/case.safetensors"));
  expect_golden(*Clip::load(folder, cpu), golden);
  expect_golden(*Clip::load(folder + "/openai.safetensors", cpu), golden);
}

/// Registers tensors with dotted names as the nested modules of a TorchScript archive.
void add_to_archive(torch::jit::Module& root, const std::string& name, const at::Tensor& tensor) {
  static int parts = 0; // every module has a class of its own
  torch::jit::Module module = root;
  std::size_t begin = 0;
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', begin)) {
    const std::string part = name.substr(begin, dot - begin);
    if (!module.hasattr(part)) {
      module.register_module(part, torch::jit::Module("__torch__.Part" + std::to_string(parts++)));
    }
    module = module.attr(part).toModule();
    begin = dot + 1;
  }
  module.register_parameter(name.substr(begin), tensor, false);
}

TEST(Clip, ReadsOpenAisTorchScriptArchive) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "ViT.pt").string();
  const auto openai = read_weights(source_path("tests/data/clip_openai/openai.safetensors"));
  torch::jit::Module archive("__torch__.Clip");
  for (const auto& [name, tensor] : openai) {
    if (tensor.is_floating_point()) {
      add_to_archive(archive, name, tensor);
    }
  }
  archive.save(file);
  expect_golden(*Clip::load(file, cpu), read_weights(source_path("tests/data/clip_model/case.safetensors")));
  EXPECT_EQ(read_openai_clip(file).size(), openai.size() - 3); // without the three numbers
}

TEST(Clip, SaysWhatIsWrongWithAFolder) {
  const TemporaryFolder folder;
  expect_error(ExitCode::missing_input, "no such folder or file",
               [&] { Clip::load((folder.path() / "none").string(), cpu); });
  expect_error(ExitCode::missing_input, "found no config.json and 0 weight files",
               [&] { Clip::load(folder.path().string(), cpu); });
  testing_store::put_bytes(folder / "config.json", R"({"model_type": "clip_text_model"})");
  expect_error(ExitCode::data, "expected a CLIPModel", [&] { Clip::load(folder.path().string(), cpu); });
  testing_store::put_bytes(folder / "config.json", R"({"text_config": {"hidden_act": "tanh"}})");
  expect_error(ExitCode::data, "hidden_act: expected \"gelu\" or \"quick_gelu\", found \"tanh\"",
               [&] { Clip::load(folder.path().string(), cpu); });
  testing_store::put_bytes(folder / "config.json", R"({"text_config": {"num_attention_heads": 7}})");
  expect_error(ExitCode::data, "num_attention_heads 7 does not divide hidden_size 512",
               [&] { Clip::load(folder.path().string(), cpu); });
}

TEST(ClipText, HasExactlyTheTensorsOfStableDiffusion15) {
  ClipTextConfig config;
  config.encoder = {.hidden_size = 768, .intermediate_size = 3072, .layers = 12, .heads = 12};
  const ClipText model(config);
  EXPECT_EQ(expect_same_layout(model, source_path("tests/data/sd15_text_encoder.tsv")), 123060480);
}

TEST(Clip, HasExactlyTheTensorsOfVitLarge14) {
  ClipConfig config;
  config.text.encoder = {.hidden_size = 768, .intermediate_size = 3072, .layers = 12, .heads = 12};
  config.text.projection_dim = config.vision.projection_dim = 768;
  config.vision.encoder = {.hidden_size = 1024, .intermediate_size = 4096, .layers = 24, .heads = 16};
  config.vision.patch_size = 14;
  const Clip model(config); // 1.7 GB of address space; nothing is written to it
  EXPECT_EQ(expect_same_layout(model, source_path("tests/data/clip_vit_l14_hf.tsv")), 427616513);
  // and OpenAI's 446 tensors become these 590
  std::map<std::string, at::Tensor> openai;
  for (const auto& [name, shape] :
       testing_parity::read_manifest(source_path("tests/data/clip_vit_l14_openai.tsv"))) {
    openai.emplace(name, torch::empty(shape));
  }
  EXPECT_EQ(openai.size(), 446u);
  const auto found = openai_clip_config(openai, "manifest");
  EXPECT_EQ(found.vision.encoder.heads, 16);
  EXPECT_EQ(found.vision.image_size, 224);
  EXPECT_EQ(found.text.encoder.heads, 12);
  std::map<std::string, std::vector<std::int64_t>> shapes, expected;
  for (const auto& [name, tensor] : from_openai_clip(openai)) {
    shapes[name] = tensor.sizes().vec();
  }
  for (const auto& item : Clip(found).named_parameters()) {
    expected[item.key()] = item.value().sizes().vec();
  }
  EXPECT_EQ(shapes, expected);
}

} // namespace
} // namespace scoreact
