#include "models/pixel_unet/unet2d.hpp"

#include "error/error.hpp"
#include "models/pixel_unet/attention_block.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace scoreact::unet {
namespace {

ResnetShape resnet_shape(const UnetConfig& config) {
  return {config.time_width(), config.groups(), config.norm_eps, config.scale_shift, 1.0};
}

MakeAttention attention_of(const UnetConfig& config, long channels, std::optional<long> groups,
                           double output_scale) {
  const long head_dim = config.attention_head_dim.value_or(channels);
  return [=, eps = config.norm_eps](Initial& initial) -> std::shared_ptr<SpatialAttention> {
    return std::make_shared<AttentionBlock>(channels, head_dim, groups, eps, output_scale, initial);
  };
}

LevelShape level_shape(const UnetConfig& config, long channels, bool attention) {
  LevelShape shape{config.layers_per_block, resnet_shape(config), {}};
  if (attention) {
    shape.attention = attention_of(config, channels, config.groups(), 1.0);
  }
  return shape;
}

std::shared_ptr<MidBlock> make_mid_block(const UnetConfig& config, Initial& initial) {
  const long channels = config.block_out_channels.back();
  ResnetShape shape = resnet_shape(config);
  shape.output_scale = config.mid_block_scale_factor;
  MakeAttention attention;
  if (config.add_attention) {
    // diffusers: the norm is there by default, and with scale_shift only if attn_norm_num_groups asks for it
    std::optional<long> groups = config.attn_norm_num_groups;
    if (!groups && !config.scale_shift) {
      groups = config.groups();
    }
    attention = attention_of(config, channels, groups, config.mid_block_scale_factor);
  }
  return std::make_shared<MidBlock>(channels, shape, attention, initial);
}

} // namespace

at::Tensor timestep_embedding(const at::Tensor& timestep, long width, bool flip_sin_to_cos, long freq_shift) {
  const long half = width / 2;
  const at::Tensor exponent = at::arange(half, timestep.options()) * -std::log(10000.0) / (half - freq_shift);
  const at::Tensor angle = timestep.unsqueeze(1) * exponent.exp().unsqueeze(0);
  at::Tensor embedding =
      flip_sin_to_cos ? at::cat({angle.cos(), angle.sin()}, 1) : at::cat({angle.sin(), angle.cos()}, 1);
  return width % 2 == 1 ? at::constant_pad_nd(embedding, {0, 1}) : embedding;
}

TimeEmbedding::TimeEmbedding(long in, long width, Initial& initial) {
  linear_1_ = register_module("linear_1", std::make_shared<Linear>(in, width, initial));
  linear_2_ = register_module("linear_2", std::make_shared<Linear>(width, width, initial));
}

at::Tensor TimeEmbedding::forward(const at::Tensor& x) {
  return linear_2_->forward(at::silu(linear_1_->forward(x)));
}

Unet2d::Unet2d(const UnetConfig& config, Initial initial) : config_(config) {
  check_unet_config(config, "UNet2DModel");
  const std::vector<long>& widths = config.block_out_channels;
  const std::size_t levels = widths.size();
  conv_in_ =
      register_module("conv_in", std::make_shared<Conv2d>(config.in_channels, widths[0], 3, 1, 1, initial));
  time_embedding_ = register_module("time_embedding",
                                    std::make_shared<TimeEmbedding>(widths[0], config.time_width(), initial));
  if (config.num_class_embeds) {
    class_embedding_ =
        register_module("class_embedding",
                        std::make_shared<Embedding>(*config.num_class_embeds, config.time_width(), initial));
  }
  torch::nn::ModuleList down;
  for (std::size_t i = 0; i < levels; ++i) {
    down_blocks_.push_back(std::make_shared<DownBlock>(
        widths[i == 0 ? 0 : i - 1], widths[i],
        i + 1 < levels ? std::optional(config.downsample_padding) : std::nullopt,
        level_shape(config, widths[i], config.down_block_types[i] == "AttnDownBlock2D"), initial));
    down->push_back(down_blocks_.back());
  }
  register_module("down_blocks", down);
  if (config.mid_block) {
    mid_block_ = register_module("mid_block", make_mid_block(config, initial));
  }
  torch::nn::ModuleList up;
  const std::vector<long> reversed(widths.rbegin(), widths.rend());
  for (std::size_t i = 0; i < levels; ++i) {
    up_blocks_.push_back(std::make_shared<UpBlock>(
        skip_inputs(config.layers_per_block + 1, reversed[i == 0 ? 0 : i - 1], reversed[i],
                    reversed[std::min(i + 1, levels - 1)]),
        reversed[i], i + 1 < levels,
        level_shape(config, reversed[i], config.up_block_types[i] == "AttnUpBlock2D"), initial));
    up->push_back(up_blocks_.back());
  }
  register_module("up_blocks", up);
  conv_norm_out_ = register_module("conv_norm_out",
                                   std::make_shared<GroupNorm>(config.groups(), widths[0], config.norm_eps));
  conv_out_ =
      register_module("conv_out", std::make_shared<Conv2d>(widths[0], config.out_channels, 3, 1, 1, initial));
}

at::Tensor Unet2d::forward(const at::Tensor& sample, const at::Tensor& timestep,
                           const at::Tensor& class_labels) {
  const long factor = 1L << (config_.block_out_channels.size() - 1);
  SCOREACT_REQUIRE(sample.dim() == 4 && sample.size(1) == config_.in_channels &&
                       sample.size(2) % factor == 0 && sample.size(3) % factor == 0,
                   ExitCode::data,
                   "UNet2DModel: expected a sample [B, {}, H, W] with H and W multiples of {}, found {}",
                   config_.in_channels, factor, fmt::join(sample.sizes().vec(), " x "));
  at::Tensor time = time_embedding_->forward(timestep_embedding(timestep.to(sample.scalar_type()),
                                                                config_.block_out_channels[0],
                                                                config_.flip_sin_to_cos, config_.freq_shift));
  if (class_embedding_) {
    SCOREACT_REQUIRE(class_labels.defined(), ExitCode::data,
                     "UNet2DModel: this model is class-conditional; class_labels "
                     "are missing");
    time = time + class_embedding_->forward(class_labels);
  }
  const Conditions conditions{.time = at::silu(time)}; // every residual block begins with it
  at::Tensor hidden =
      in_fastest_order(conv_in_->forward(config_.center_input_sample ? 2 * sample - 1 : sample));
  std::vector<at::Tensor> skips = {hidden};
  for (const auto& block : down_blocks_) {
    hidden = block->forward(hidden, conditions, &skips);
  }
  if (mid_block_) {
    hidden = mid_block_->forward(hidden, conditions);
  }
  for (const auto& block : up_blocks_) {
    hidden = block->forward(hidden, conditions, &skips);
  }
  return conv_out_->forward(conv_norm_out_->forward_silu(hidden)).contiguous();
}

} // namespace scoreact::unet
