#include "models/image_reward/blip_vision.hpp"

#include "error/error.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

using transformer::LayerNorm;
using transformer::Linear;

constexpr double layer_norm_eps = 1e-6;

} // namespace

/// x += proj(attention(norm1(x))),  x += fc2(gelu(fc1(norm2(x)))); queries, keys and values from one map.
class BlipVisionBlock : public torch::nn::Module {
 public:
  explicit BlipVisionBlock(const BlipVisionConfig& config) : heads_(config.heads) {
    const long width = config.width;
    norm1_ = register_module("norm1", std::make_shared<LayerNorm>(width, layer_norm_eps));
    const auto attention = register_module("attn", std::make_shared<torch::nn::Module>());
    qkv_ = attention->register_module("qkv", std::make_shared<Linear>(width, 3 * width));
    proj_ = attention->register_module("proj", std::make_shared<Linear>(width, width));
    norm2_ = register_module("norm2", std::make_shared<LayerNorm>(width, layer_norm_eps));
    const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
    fc1_ = mlp->register_module("fc1", std::make_shared<Linear>(width, config.mlp_width));
    fc2_ = mlp->register_module("fc2", std::make_shared<Linear>(config.mlp_width, width));
  }

  at::Tensor forward(const at::Tensor& x) const {
    const auto qkv = qkv_->forward(norm1_->forward(x)).chunk(3, 2);
    const at::Tensor attended = x + proj_->forward(transformer::attention(qkv[0], qkv[1], qkv[2], heads_));
    return attended + fc2_->forward(at::gelu(fc1_->forward(norm2_->forward(attended))));
  }

 private:
  long heads_;
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<Linear> qkv_, proj_, fc1_, fc2_;
};

BlipVision::BlipVision(const BlipVisionConfig& config) : config_(config) {
  const long grid = config.image_size / config.patch_size;
  cls_token_ = register_parameter("cls_token", torch::empty({1, 1, config.width}), false);
  pos_embed_ = register_parameter("pos_embed", torch::empty({1, grid * grid + 1, config.width}), false);
  const auto patch_embed = register_module("patch_embed", std::make_shared<torch::nn::Module>());
  patches_ = patch_embed->register_module("proj", std::make_shared<transformer::PatchEmbedding>(
                                                      3, config.width, config.patch_size, /*bias=*/true));
  const auto blocks = register_module("blocks", torch::nn::ModuleList());
  for (long i = 0; i < config.depth; ++i) {
    blocks_.push_back(std::make_shared<BlipVisionBlock>(config));
    blocks->push_back(blocks_.back());
  }
  norm_ = register_module("norm", std::make_shared<LayerNorm>(config.width, layer_norm_eps));
}

at::Tensor BlipVision::embed(const at::Tensor& pixel_values) const {
  SCOREACT_REQUIRE(pixel_values.dim() == 4 && pixel_values.size(1) == 3 &&
                       pixel_values.size(2) == config_.image_size &&
                       pixel_values.size(3) == config_.image_size,
                   ExitCode::data, "pixel_values: expected [n, 3, {}, {}], found [{}]", config_.image_size,
                   config_.image_size, fmt::join(pixel_values.sizes().vec(), ", "));
  const at::Tensor patches = patches_->forward(pixel_values);
  return at::cat({cls_token_.expand({patches.size(0), -1, -1}), patches}, 1) + pos_embed_;
}

at::Tensor BlipVision::blocks(at::Tensor tokens, long begin, long end) const {
  for (long i = begin; i < end; ++i) {
    tokens = blocks_[static_cast<std::size_t>(i)]->forward(tokens);
  }
  return tokens;
}

} // namespace scoreact
