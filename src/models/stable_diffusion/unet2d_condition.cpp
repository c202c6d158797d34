#include "models/stable_diffusion/unet2d_condition.hpp"

#include "error/error.hpp"
#include "models/pixel_unet/blocks.hpp"
#include "models/pixel_unet/unet2d.hpp"
#include "models/stable_diffusion/frozen_weights.hpp"
#include "models/stable_diffusion/spatial_transformer.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>

namespace scoreact {

using unet::Initial;

namespace {

unet::ResnetShape resnet_shape(const Unet2dConditionConfig& config) {
  return {config.time_width(), config.norm_num_groups, config.norm_eps, config.scale_shift, 1.0};
}

unet::MakeAttention transformer_of(const Unet2dConditionConfig& config, const UnetLevel& level,
                                   bool context_only) {
  const unet::TransformerShape shape{.channels = level.channels,
                                     .heads = level.heads,
                                     .layers = level.transformer_layers,
                                     .context_width = level.context_width,
                                     .groups = config.norm_num_groups,
                                     .context_only = context_only,
                                     .linear_ends = config.use_linear_projection};
  return [shape](Initial& initial) -> std::shared_ptr<unet::SpatialAttention> {
    return std::make_shared<unet::SpatialTransformer>(shape, initial);
  };
}

unet::LevelShape level_shape(const Unet2dConditionConfig& config, const UnetLevel& level, long layers,
                             bool attention) {
  unet::LevelShape shape{layers, resnet_shape(config), {}};
  if (attention) {
    shape.attention = transformer_of(config, level, level.context_only);
  }
  return shape;
}

} // namespace

UNet2DCondition::UNet2DCondition(const Unet2dConditionConfig& config, Initial initial) : config_(config) {
  const std::vector<UnetLevel>& levels = config.levels;
  const std::size_t count = levels.size();
  const long width = levels.front().channels;
  const auto end = [&](long in, long out, long kernel) {
    return std::make_shared<unet::Conv2d>(in, out, kernel, 1, (kernel - 1) / 2, initial);
  };
  conv_in_ = register_module("conv_in", end(config.in_channels, width, config.conv_in_kernel));
  time_embedding_ = register_module(
      "time_embedding", std::make_shared<unet::TimeEmbedding>(width, config.time_width(), initial));
  torch::nn::ModuleList down, up;
  for (std::size_t i = 0; i < count; ++i) {
    const UnetLevel& level = levels[i];
    down_blocks_.push_back(std::make_shared<unet::DownBlock>(
        levels[i == 0 ? 0 : i - 1].channels, level.channels,
        i + 1 < count ? std::optional(config.downsample_padding) : std::nullopt,
        level_shape(config, level, level.layers, level.attention_down), initial));
    down->push_back(down_blocks_.back());
  }
  register_module("down_blocks", down);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = count - 1 - i;
    const UnetLevel& level = levels[at];
    const long previous = levels[std::min(at + 1, count - 1)].channels;
    const long next = levels[at == 0 ? 0 : at - 1].channels;
    up_blocks_.push_back(std::make_shared<unet::UpBlock>(
        unet::skip_inputs(level.layers + 1, previous, level.channels, next), level.channels, i + 1 < count,
        level_shape(config, level, level.layers + 1, level.attention_up), initial));
    up->push_back(up_blocks_.back());
  }
  register_module("up_blocks", up); // before the middle, as diffusers' state_dict
  if (config.mid_block) {
    unet::ResnetShape shape = resnet_shape(config);
    shape.output_scale = config.mid_block_scale_factor;
    mid_block_ = register_module(
        "mid_block", std::make_shared<unet::MidBlock>(
                         levels.back().channels, shape,
                         transformer_of(config, levels.back(), config.mid_block_context_only), initial));
  }
  conv_norm_out_ = register_module(
      "conv_norm_out", std::make_shared<unet::GroupNorm>(config.norm_num_groups, width, config.norm_eps));
  conv_out_ = register_module("conv_out", end(width, config.out_channels, config.conv_out_kernel));
}

std::shared_ptr<UNet2DCondition> UNet2DCondition::load(const std::string& directory, c10::Device device) {
  auto network = std::make_shared<UNet2DCondition>(read_unet2d_condition_config(config_file(directory)));
  load_frozen_weights(*network, directory, device);
  return network;
}

at::Tensor UNet2DCondition::forward(const at::Tensor& sample, const at::Tensor& timestep,
                                    const at::Tensor& encoder_hidden_states) {
  SCOREACT_REQUIRE(sample.dim() == 4 && sample.size(1) == config_.in_channels && sample.size(2) > 0 &&
                       sample.size(3) > 0,
                   ExitCode::data, "UNet2DConditionModel: expected a sample [B, {}, H, W], found [{}]",
                   config_.in_channels, fmt::join(sample.sizes().vec(), ", "));
  const long rows = sample.size(0), context_width = config_.levels.back().context_width;
  SCOREACT_REQUIRE(timestep.dim() == 1 && timestep.size(0) == rows, ExitCode::data,
                   "UNet2DConditionModel: expected {} timesteps, found [{}]", rows,
                   fmt::join(timestep.sizes().vec(), ", "));
  SCOREACT_REQUIRE(
      encoder_hidden_states.defined() && encoder_hidden_states.dim() == 3 &&
          encoder_hidden_states.size(0) == rows && encoder_hidden_states.size(2) == context_width,
      ExitCode::data, "UNet2DConditionModel: expected encoder_hidden_states [{}, n, {}], found [{}]", rows,
      context_width,
      fmt::join(encoder_hidden_states.defined() ? encoder_hidden_states.sizes().vec()
                                                : std::vector<std::int64_t>{},
                ", "));
  const at::ScalarType dtype = conv_in_->weight().scalar_type();
  const at::Tensor sinusoids = unet::timestep_embedding(
      timestep.to(at::kFloat), config_.levels.front().channels, config_.flip_sin_to_cos, config_.freq_shift);
  const unet::Conditions conditions{
      .time = at::silu(time_embedding_->forward(sinusoids.to(dtype))), // every residual block begins with it
      .context = encoder_hidden_states.to(dtype),
      .adapted = lora_enabled_,
      .recompute = recompute_};
  const at::Tensor x = sample.to(dtype);
  at::Tensor hidden = unet::in_fastest_order(conv_in_->forward(config_.center_input_sample ? 2 * x - 1 : x));
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
  return conv_out_->forward(conv_norm_out_->forward_silu(hidden)).contiguous().to(sample.scalar_type());
}

} // namespace scoreact
