#include "models/clip/clip.hpp"

#include "error/error.hpp"
#include "models/clip/openai_names.hpp"

#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

/// The one weight file of a folder without config.json.
std::string only_weight_file(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".pt" || extension == ".pth" || extension == ".bin" || extension == ".safetensors") {
      found.push_back(entry.path().string());
    }
  }
  SCOREACT_REQUIRE(found.size() == 1, ExitCode::missing_input,
                   "{}: expected config.json of a CLIPModel, or one weight file of an OpenAI CLIP; found no "
                   "config.json and {} weight files",
                   folder.string(), found.size());
  return found.front();
}

std::shared_ptr<Clip> load_openai(const std::string& file) {
  const auto tensors = read_openai_clip(file);
  SCOREACT_REQUIRE(has_openai_clip_names(tensors), ExitCode::data,
                   "{}: expected the tensors of an OpenAI CLIP with a vision transformer "
                   "(visual.conv1.weight, token_embedding.weight, ...)",
                   file);
  auto model = std::make_shared<Clip>(openai_clip_config(tensors, file));
  load_tensors(model->named_parameters().pairs(), from_openai_clip(tensors), file);
  return model;
}

} // namespace

Clip::Clip(const ClipConfig& config) : config_(config) {
  check_clip_text_config(config.text, "CLIPModel");
  check_clip_vision_config(config.vision, "CLIPModel");
  SCOREACT_REQUIRE(config.text.projection_dim == config.vision.projection_dim, ExitCode::data,
                   "CLIPModel: the towers project to {} and {} numbers; they must be the same",
                   config.text.projection_dim, config.vision.projection_dim);
  logit_scale_ = register_parameter("logit_scale", torch::empty({}), false);
  text_model_ = register_module("text_model", std::make_shared<ClipTextTower>(config.text));
  vision_model_ = register_module("vision_model", std::make_shared<ClipVisionTower>(config.vision));
  visual_projection_ = register_module(
      "visual_projection", std::make_shared<transformer::Linear>(config.vision.encoder.hidden_size,
                                                                 config.vision.projection_dim, false));
  text_projection_ = register_module(
      "text_projection", std::make_shared<transformer::Linear>(config.text.encoder.hidden_size,
                                                               config.text.projection_dim, false));
}

std::shared_ptr<Clip> Clip::load(const std::string& path, c10::Device device) {
  const fs::path config_file = fs::path(path) / "config.json";
  std::shared_ptr<Clip> model;
  if (fs::exists(config_file)) {
    model = std::make_shared<Clip>(read_clip_config(config_file.string()));
    load_tensors(model->named_parameters().pairs(), read_model_weights(path, "model"),
                 model_weight_file(path, "model"));
  } else {
    SCOREACT_REQUIRE(fs::exists(path), ExitCode::missing_input, "{}: no such folder or file", path);
    model = load_openai(fs::is_directory(path) ? only_weight_file(path) : path);
  }
  model->to(device);
  return model;
}

at::Tensor Clip::text_embeds(const at::Tensor& input_ids, const at::Tensor& attention_mask) const {
  return text_projection_->forward(text_states(input_ids, attention_mask).pooler_output);
}

at::Tensor Clip::image_embeds(const at::Tensor& pixel_values) const {
  return visual_projection_->forward(vision_model_->forward(pixel_values));
}

ClipTextOutput Clip::text_states(const at::Tensor& input_ids, const at::Tensor& attention_mask) const {
  return text_model_->forward(input_ids, attention_mask, 0);
}

} // namespace scoreact
