#include "models/clip/clip_text.hpp"

#include "error/error.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

/// Names as they stand in transformers up to 5.5, without what belongs to another half of the model.
std::map<std::string, at::Tensor> text_tensors(std::map<std::string, at::Tensor>&& found) {
  std::map<std::string, at::Tensor> text;
  for (auto& [name, tensor] : found) {
    const bool bare = name.starts_with("embeddings.") || name.starts_with("encoder.") ||
                      name.starts_with("final_layer_norm.");
    const bool elsewhere = name.starts_with("vision_model.") || name == "visual_projection.weight" ||
                           name == "text_projection.weight" || name == "logit_scale";
    if (!elsewhere) {
      text.emplace(bare ? "text_model." + name : name, std::move(tensor));
    }
  }
  return text;
}

/// [n, 1, L, L] true where a query may look: not ahead, and not at padding.
at::Tensor causal_mask(const at::Tensor& attention_mask) {
  const long length = attention_mask.size(1);
  const at::Tensor behind = at::ones({length, length}, attention_mask.options().dtype(at::kBool))
                                .tril()
                                .view({1, 1, length, length});
  return behind.logical_and(attention_mask.to(at::kBool).view({-1, 1, 1, length}));
}

} // namespace

ClipTextTower::ClipTextTower(const ClipTextConfig& config) : config_(config) {
  const long width = config.encoder.hidden_size;
  const auto embeddings = register_module("embeddings", std::make_shared<torch::nn::Module>());
  token_embedding_ = embeddings->register_module(
      "token_embedding", std::make_shared<transformer::Embedding>(config.vocab_size, width));
  position_embedding_ = embeddings->register_module(
      "position_embedding", std::make_shared<transformer::Embedding>(config.max_position_embeddings, width));
  encoder_ = register_module("encoder", std::make_shared<ClipEncoder>(config.encoder));
  final_layer_norm_ = register_module(
      "final_layer_norm", std::make_shared<transformer::LayerNorm>(width, config.encoder.layer_norm_eps));
}

ClipTextOutput ClipTextTower::forward(const at::Tensor& input_ids, const at::Tensor& attention_mask,
                                      long clip_skip) const {
  SCOREACT_REQUIRE(input_ids.dim() == 2 && input_ids.size(1) >= 1 &&
                       input_ids.size(1) <= config_.max_position_embeddings,
                   ExitCode::data, "input_ids: expected [rows, 1 .. {}], found [{}]",
                   config_.max_position_embeddings, fmt::join(input_ids.sizes().vec(), ", "));
  SCOREACT_REQUIRE(!attention_mask.defined() || attention_mask.sizes() == input_ids.sizes(), ExitCode::data,
                   "attention_mask: expected the shape of input_ids, [{}], found [{}]",
                   fmt::join(input_ids.sizes().vec(), ", "), fmt::join(attention_mask.sizes().vec(), ", "));
  const at::Tensor embedded =
      token_embedding_->forward(input_ids) + position_embedding_->first(input_ids.size(1));
  const at::Tensor mask = attention_mask.defined() ? causal_mask(attention_mask) : at::Tensor();
  const at::Tensor hidden = final_layer_norm_->forward(encoder_->forward(embedded, mask, true, clip_skip));
  const at::Tensor end = config_.eos_token_id == 2
                             ? input_ids.argmax(1)
                             : (input_ids == config_.eos_token_id).to(at::kInt).argmax(1);
  const at::Tensor rows = at::arange(input_ids.size(0), input_ids.options());
  return {hidden, hidden.index({rows, end})};
}

ClipText::ClipText(const ClipTextConfig& config) : config_(config) {
  check_clip_text_config(config, "CLIPTextModel");
  text_model_ = register_module("text_model", std::make_shared<ClipTextTower>(config));
}

std::shared_ptr<ClipText> ClipText::load(const std::string& directory, c10::Device device) {
  const auto config = read_clip_text_config((std::filesystem::path(directory) / "config.json").string());
  auto model = std::make_shared<ClipText>(config);
  load_tensors(model->named_parameters().pairs(), text_tensors(read_model_weights(directory, "model")),
               model_weight_file(directory, "model"));
  model->to(device);
  return model;
}

ClipTextOutput ClipText::forward(const at::Tensor& input_ids, const at::Tensor& attention_mask,
                                 long clip_skip) const {
  return text_model_->forward(input_ids, attention_mask, clip_skip);
}

} // namespace scoreact
