#include "models/clip/clip_encoder.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

using transformer::LayerNorm;
using transformer::Linear;

class ClipAttention : public torch::nn::Module {
 public:
  explicit ClipAttention(const ClipEncoderConfig& config) : heads_(config.heads) {
    const long width = config.hidden_size;
    k_proj_ = register_module("k_proj", std::make_shared<Linear>(width, width));
    v_proj_ = register_module("v_proj", std::make_shared<Linear>(width, width));
    q_proj_ = register_module("q_proj", std::make_shared<Linear>(width, width));
    out_proj_ = register_module("out_proj", std::make_shared<Linear>(width, width));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask, bool causal) const {
    return out_proj_->forward(transformer::attention(q_proj_->forward(x), k_proj_->forward(x),
                                                     v_proj_->forward(x), heads_, mask, causal));
  }

 private:
  long heads_;
  std::shared_ptr<Linear> k_proj_, v_proj_, q_proj_, out_proj_;
};

class ClipMlp : public torch::nn::Module {
 public:
  explicit ClipMlp(const ClipEncoderConfig& config) : activation_(config.activation) {
    fc1_ = register_module("fc1", std::make_shared<Linear>(config.hidden_size, config.intermediate_size));
    fc2_ = register_module("fc2", std::make_shared<Linear>(config.intermediate_size, config.hidden_size));
  }
  at::Tensor forward(const at::Tensor& x) const {
    return fc2_->forward(transformer::activate(activation_, fc1_->forward(x)));
  }

 private:
  transformer::Activation activation_;
  std::shared_ptr<Linear> fc1_, fc2_;
};

} // namespace

class ClipLayer : public torch::nn::Module {
 public:
  explicit ClipLayer(const ClipEncoderConfig& config) {
    const long width = config.hidden_size;
    self_attn_ = register_module("self_attn", std::make_shared<ClipAttention>(config));
    layer_norm1_ = register_module("layer_norm1", std::make_shared<LayerNorm>(width, config.layer_norm_eps));
    mlp_ = register_module("mlp", std::make_shared<ClipMlp>(config));
    layer_norm2_ = register_module("layer_norm2", std::make_shared<LayerNorm>(width, config.layer_norm_eps));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask, bool causal) const {
    const at::Tensor attended = x + self_attn_->forward(layer_norm1_->forward(x), mask, causal);
    return attended + mlp_->forward(layer_norm2_->forward(attended));
  }

 private:
  std::shared_ptr<ClipAttention> self_attn_;
  std::shared_ptr<LayerNorm> layer_norm1_, layer_norm2_;
  std::shared_ptr<ClipMlp> mlp_;
};

ClipEncoder::ClipEncoder(const ClipEncoderConfig& config) {
  const auto layers = register_module("layers", torch::nn::ModuleList());
  for (long i = 0; i < config.layers; ++i) {
    layers_.push_back(std::make_shared<ClipLayer>(config));
    layers->push_back(layers_.back());
  }
}

at::Tensor ClipEncoder::forward(at::Tensor x, const at::Tensor& mask, bool causal, long skipped) const {
  const long used = static_cast<long>(layers_.size()) - skipped;
  SCOREACT_REQUIRE(skipped >= 0 && used > 0, ExitCode::data,
                   "this CLIP tower has {} layers; {} of them cannot be skipped", layers_.size(), skipped);
  for (long i = 0; i < used; ++i) {
    x = layers_[static_cast<std::size_t>(i)]->forward(x, mask, causal);
  }
  return x;
}

} // namespace scoreact
