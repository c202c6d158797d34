#include "models/stable_diffusion/autoencoder_kl.hpp"

#include "error/error.hpp"
#include "models/pixel_unet/attention_block.hpp"
#include "models/pixel_unet/blocks.hpp"
#include "models/stable_diffusion/frozen_weights.hpp"
#include "models/weights.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {

using unet::Conv2d;
using unet::Initial;

namespace {

constexpr double norm_eps = 1e-6; // of every norm, whatever the config says

unet::ResnetShape resnet_shape(const AutoencoderKlConfig& config) {
  return {.time_width = std::nullopt, .groups = config.norm_num_groups, .eps = norm_eps};
}

std::shared_ptr<unet::MidBlock> make_mid_block(const AutoencoderKlConfig& config, Initial& initial) {
  const long channels = config.block_out_channels.back(), groups = config.norm_num_groups;
  unet::MakeAttention attention;
  if (config.mid_block_add_attention) {
    attention = [channels, groups](Initial& values) -> std::shared_ptr<unet::SpatialAttention> {
      return std::make_shared<unet::AttentionBlock>(channels, channels, groups, norm_eps, 1.0, values);
    };
  }
  return std::make_shared<unet::MidBlock>(channels, resnet_shape(config), attention, initial);
}

} // namespace

class AutoencoderKL::Encoder : public torch::nn::Module {
 public:
  Encoder(const AutoencoderKlConfig& config, Initial& initial) {
    const std::vector<long>& widths = config.block_out_channels;
    conv_in_ =
        register_module("conv_in", std::make_shared<Conv2d>(config.in_channels, widths[0], 3, 1, 1, initial));
    const unet::LevelShape shape{config.layers_per_block, resnet_shape(config), {}};
    torch::nn::ModuleList down;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const bool last = i + 1 == widths.size();
      blocks_.push_back(std::make_shared<unet::DownBlock>(
          widths[i == 0 ? 0 : i - 1], widths[i], last ? std::nullopt : std::optional(0L), shape, initial));
      down->push_back(blocks_.back());
    }
    register_module("down_blocks", down);
    mid_block_ = register_module("mid_block", make_mid_block(config, initial));
    conv_norm_out_ = register_module(
        "conv_norm_out", std::make_shared<unet::GroupNorm>(config.norm_num_groups, widths.back(), norm_eps));
    conv_out_ = register_module(
        "conv_out", std::make_shared<Conv2d>(widths.back(), 2 * config.latent_channels, 3, 1, 1, initial));
  }

  at::Tensor forward(const at::Tensor& pixels) {
    at::Tensor hidden = conv_in_->forward(pixels);
    for (const auto& block : blocks_)
      hidden = block->forward(hidden, {}, nullptr);
    return conv_out_->forward(conv_norm_out_->forward_silu(mid_block_->forward(hidden, {})));
  }

  at::ScalarType dtype() const { return conv_in_->weight().scalar_type(); }

 private:
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::vector<std::shared_ptr<unet::DownBlock>> blocks_;
  std::shared_ptr<unet::MidBlock> mid_block_;
  std::shared_ptr<unet::GroupNorm> conv_norm_out_;
};

class AutoencoderKL::Decoder : public torch::nn::Module {
 public:
  Decoder(const AutoencoderKlConfig& config, Initial& initial) {
    const std::vector<long> widths(config.block_out_channels.rbegin(), config.block_out_channels.rend());
    conv_in_ = register_module("conv_in",
                               std::make_shared<Conv2d>(config.latent_channels, widths[0], 3, 1, 1, initial));
    const unet::LevelShape shape{config.layers_per_block + 1, resnet_shape(config), {}};
    torch::nn::ModuleList up;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      std::vector<long> inputs(static_cast<std::size_t>(shape.layers), widths[i]);
      inputs[0] = widths[i == 0 ? 0 : i - 1];
      blocks_.push_back(
          std::make_shared<unet::UpBlock>(inputs, widths[i], i + 1 < widths.size(), shape, initial));
      up->push_back(blocks_.back());
    }
    register_module("up_blocks", up);
    mid_block_ = register_module("mid_block", make_mid_block(config, initial));
    conv_norm_out_ = register_module(
        "conv_norm_out", std::make_shared<unet::GroupNorm>(config.norm_num_groups, widths.back(), norm_eps));
    conv_out_ = register_module(
        "conv_out", std::make_shared<Conv2d>(widths.back(), config.out_channels, 3, 1, 1, initial));
  }

  at::Tensor forward(const at::Tensor& latents, bool recompute) {
    const unet::Conditions conditions{.recompute = recompute};
    at::Tensor hidden = mid_block_->forward(conv_in_->forward(latents), conditions);
    for (const auto& block : blocks_)
      hidden = block->forward(hidden, conditions, nullptr);
    return conv_out_->forward(conv_norm_out_->forward_silu(hidden));
  }

  at::ScalarType dtype() const { return conv_in_->weight().scalar_type(); }

 private:
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::shared_ptr<unet::MidBlock> mid_block_;
  std::vector<std::shared_ptr<unet::UpBlock>> blocks_;
  std::shared_ptr<unet::GroupNorm> conv_norm_out_;
};

AutoencoderKL::AutoencoderKL(const AutoencoderKlConfig& config, std::optional<at::Generator> initial)
    : config_(config) {
  const long latents = config.latent_channels;
  encoder_ = register_module("encoder", std::make_shared<Encoder>(config, initial));
  decoder_ = register_module("decoder", std::make_shared<Decoder>(config, initial));
  if (config.use_quant_conv)
    quant_conv_ =
        register_module("quant_conv", std::make_shared<Conv2d>(2 * latents, 2 * latents, 1, 1, 0, initial));
  if (config.use_post_quant_conv)
    post_quant_conv_ =
        register_module("post_quant_conv", std::make_shared<Conv2d>(latents, latents, 1, 1, 0, initial));
}

std::shared_ptr<AutoencoderKL> AutoencoderKL::load(const std::string& directory, c10::Device device) {
  auto network = std::make_shared<AutoencoderKL>(read_autoencoder_kl_config(config_file(directory)));
  load_frozen_weights(*network, directory, device);
  return network;
}

void save_autoencoder_kl(const AutoencoderKL& network, const AutoencoderKlConfig& config,
                         const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", folder, failure.message());
  const std::filesystem::path root(folder);
  write_autoencoder_kl_config(config, (root / "config.json").string());
  write_weights((root / "diffusion_pytorch_model.safetensors").string(), network.named_parameters().pairs());
}

std::pair<at::Tensor, at::Tensor> AutoencoderKL::encode(const at::Tensor& pixels) {
  constexpr double least_logvar = -30, most_logvar = 20;
  SCOREACT_REQUIRE(pixels.dim() == 4 && pixels.size(1) == config_.in_channels &&
                       pixels.size(2) % downscale() == 0 && pixels.size(3) % downscale() == 0,
                   ExitCode::data,
                   "AutoencoderKL: expected pixels [B, {}, H, W] with H and W multiples of {}, found [{}]",
                   config_.in_channels, downscale(), fmt::join(pixels.sizes().vec(), ", "));
  at::Tensor moments = encoder_->forward(pixels.to(encoder_->dtype()));
  if (quant_conv_)
    moments = quant_conv_->forward(moments);
  const auto halves = moments.to(pixels.scalar_type()).chunk(2, 1);
  return {halves[0], halves[1].clamp(least_logvar, most_logvar)};
}

at::Tensor AutoencoderKL::decode(const at::Tensor& latents) {
  SCOREACT_REQUIRE(latents.dim() == 4 && latents.size(1) == config_.latent_channels, ExitCode::data,
                   "AutoencoderKL: expected latents [B, {}, h, w], found [{}]", config_.latent_channels,
                   fmt::join(latents.sizes().vec(), ", "));
  const at::Tensor z = latents.to(decoder_->dtype());
  return decoder_->forward(post_quant_conv_ ? post_quant_conv_->forward(z) : z, recompute_)
      .to(latents.scalar_type());
}

} // namespace scoreact
