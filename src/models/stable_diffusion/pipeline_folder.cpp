#include "models/stable_diffusion/pipeline_folder.hpp"

#include "error/error.hpp"
#include "models/json_file.hpp"
#include "models/weights.hpp"

#include <array>
#include <filesystem>

namespace scoreact {

namespace {

namespace fs = std::filesystem;

constexpr const char* kTensors = "diffusion_pytorch_model.safetensors";
constexpr std::array kTokenizerFiles = {"vocab.json", "merges.txt", "special_tokens_map.json",
                                        "tokenizer_config.json", "tokenizer.json"};

void make_folder(const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", folder.string(),
                   failure.message());
}

void put_copy(const fs::path& from, const fs::path& to) {
  SCOREACT_REQUIRE(fs::is_regular_file(from), ExitCode::missing_input, "{}: no such file", from.string());
  std::error_code failure;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot copy it to {}: {}", from.string(), to.string(),
                   failure.message());
}

NamedTensors in_precision(const torch::nn::Module& network, at::ScalarType precision) {
  NamedTensors tensors;
  for (const auto& item : network.named_parameters())
    tensors.emplace_back(item.key(), item.value().detach().to(precision));
  return tensors;
}

nlohmann::json model_index() {
  const auto part = [](const char* library, const char* name) {
    return nlohmann::json::array({library, name});
  };
  const nlohmann::json none = nlohmann::json::array({nullptr, nullptr});
  return {{"_class_name", "StableDiffusionPipeline"},
          {"_diffusers_version", "0.30.0"},
          {"feature_extractor", none},
          {"image_encoder", none},
          {"requires_safety_checker", false},
          {"safety_checker", none},
          {"scheduler", part("diffusers", "DDIMScheduler")},
          {"text_encoder", part("transformers", "CLIPTextModel")},
          {"tokenizer", part("transformers", "CLIPTokenizer")},
          {"unet", part("diffusers", "UNet2DConditionModel")},
          {"vae", part("diffusers", "AutoencoderKL")}};
}

} // namespace

void write_pipeline_folder(const PipelineParts& parts, const std::string& folder, at::ScalarType precision) {
  const fs::path root(folder);
  for (const char* part : {"unet", "vae", "text_encoder", "tokenizer", "scheduler"})
    make_folder(root / part);
  write_unet2d_condition_config(parts.unet.config(), (root / "unet" / "config.json").string());
  write_weights((root / "unet" / kTensors).string(), in_precision(parts.unet, precision));
  put_copy(parts.vae_config, root / "vae" / "config.json");
  write_weights((root / "vae" / kTensors).string(), in_precision(parts.vae, precision));
  write_clip_text_config(parts.text_encoder.config(), (root / "text_encoder" / "config.json").string());
  write_weights((root / "text_encoder" / "model.safetensors").string(),
                in_precision(parts.text_encoder, precision));
  for (const char* name : kTokenizerFiles)
    if (fs::exists(fs::path(parts.tokenizer) / name))
      put_copy(fs::path(parts.tokenizer) / name, root / "tokenizer" / name);
  write_scheduler_config(parts.scheduler, (root / "scheduler").string());
  write_json((root / "model_index.json").string(), model_index()); // last: the folder is complete
}

} // namespace scoreact
