#include "models/image_reward/blip_text.hpp"

#include "error/error.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

using transformer::LayerNorm;
using transformer::Linear;

/// LayerNorm(x + dense(attention)), queries from the text, keys and values from `source` (the text or the
/// image).
class BertAttention : public torch::nn::Module {
 public:
  BertAttention(const BlipTextConfig& config, long source_width) : heads_(config.heads) {
    const auto self = register_module("self", std::make_shared<torch::nn::Module>());
    query_ = self->register_module("query", std::make_shared<Linear>(config.width, config.width));
    key_ = self->register_module("key", std::make_shared<Linear>(source_width, config.width));
    value_ = self->register_module("value", std::make_shared<Linear>(source_width, config.width));
    const auto output = register_module("output", std::make_shared<torch::nn::Module>());
    dense_ = output->register_module("dense", std::make_shared<Linear>(config.width, config.width));
    norm_ = output->register_module("LayerNorm",
                                    std::make_shared<LayerNorm>(config.width, config.layer_norm_eps));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& source, const at::Tensor& mask) const {
    const at::Tensor mixed = transformer::attention(query_->forward(x), key_->forward(source),
                                                    value_->forward(source), heads_, mask);
    return norm_->forward(dense_->forward(mixed) + x);
  }

 private:
  long heads_;
  std::shared_ptr<Linear> query_, key_, value_, dense_;
  std::shared_ptr<LayerNorm> norm_;
};

} // namespace

class BlipTextLayer : public torch::nn::Module {
 public:
  BlipTextLayer(const BlipTextConfig& config, long image_width) {
    attention_ = register_module("attention", std::make_shared<BertAttention>(config, config.width));
    crossattention_ = register_module("crossattention", std::make_shared<BertAttention>(config, image_width));
    const auto intermediate = register_module("intermediate", std::make_shared<torch::nn::Module>());
    widen_ = intermediate->register_module("dense", std::make_shared<Linear>(config.width, config.mlp_width));
    const auto output = register_module("output", std::make_shared<torch::nn::Module>());
    narrow_ = output->register_module("dense", std::make_shared<Linear>(config.mlp_width, config.width));
    norm_ = output->register_module("LayerNorm",
                                    std::make_shared<LayerNorm>(config.width, config.layer_norm_eps));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask, const at::Tensor& image) const {
    const at::Tensor read = attention_->forward(x, x, mask);
    const at::Tensor seen = crossattention_->forward(read, image, {});
    return norm_->forward(narrow_->forward(at::gelu(widen_->forward(seen))) + seen);
  }

 private:
  std::shared_ptr<BertAttention> attention_, crossattention_;
  std::shared_ptr<Linear> widen_, narrow_;
  std::shared_ptr<LayerNorm> norm_;
};

BlipText::BlipText(const BlipTextConfig& config, long image_width) : config_(config) {
  const auto embeddings = register_module("embeddings", std::make_shared<torch::nn::Module>());
  words_ = embeddings->register_module(
      "word_embeddings", std::make_shared<transformer::Embedding>(config.vocab_size, config.width));
  positions_ = embeddings->register_module(
      "position_embeddings", std::make_shared<transformer::Embedding>(config.max_positions, config.width));
  norm_ = embeddings->register_module("LayerNorm",
                                      std::make_shared<LayerNorm>(config.width, config.layer_norm_eps));
  const auto encoder = register_module("encoder", std::make_shared<torch::nn::Module>());
  const auto layers = encoder->register_module("layer", torch::nn::ModuleList());
  for (long i = 0; i < config.layers; ++i) {
    layers_.push_back(std::make_shared<BlipTextLayer>(config, image_width));
    layers->push_back(layers_.back());
  }
}

at::Tensor BlipText::forward(const at::Tensor& input_ids, const at::Tensor& attention_mask,
                             const at::Tensor& image) const {
  SCOREACT_REQUIRE(input_ids.dim() == 2 && input_ids.size(1) >= 1 &&
                       input_ids.size(1) <= config_.max_positions,
                   ExitCode::data, "input_ids: expected [rows, 1 .. {}], found [{}]", config_.max_positions,
                   fmt::join(input_ids.sizes().vec(), ", "));
  SCOREACT_REQUIRE(attention_mask.sizes() == input_ids.sizes(), ExitCode::data,
                   "attention_mask: expected the shape of input_ids, [{}], found [{}]",
                   fmt::join(input_ids.sizes().vec(), ", "), fmt::join(attention_mask.sizes().vec(), ", "));
  SCOREACT_REQUIRE(input_ids.size(0) == image.size(0), ExitCode::data,
                   "input_ids: expected one row an image, {}, found {}", image.size(0), input_ids.size(0));
  // added to the scores, as the original does it: padding gets a weight of exp(-10000) = 0
  const at::Tensor mask = ((1 - attention_mask.to(image.scalar_type())) * -10000.0).unsqueeze(1).unsqueeze(1);
  at::Tensor hidden = norm_->forward(words_->forward(input_ids) + positions_->first(input_ids.size(1)));
  for (const auto& layer : layers_) {
    hidden = layer->forward(hidden, mask, image);
  }
  return hidden;
}

} // namespace scoreact
