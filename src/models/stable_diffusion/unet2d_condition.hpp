#pragma once
/// diffusers' UNet2DConditionModel, the U-Net of Stable Diffusion 1 and 2: residual blocks and transformers
/// over latents, steered by time and text. The transformers' linear maps have room for a LoRA (lora.hpp).
#include "models/stable_diffusion/unet2d_condition_config.hpp"

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>
#include <torch/nn/module.h>

#include <memory>
#include <optional>

namespace scoreact {

namespace unet {
class Conv2d;
class DownBlock;
class GroupNorm;
class MidBlock;
class TimeEmbedding;
class UpBlock;
} // namespace unet

class UNet2DCondition : public torch::nn::Module {
 public:
  /// Weights uninitialised: load them; or with PyTorch's default initial values from a CPU generator, in
  /// PyTorch's order. Parameters have diffusers' names, in its order.
  explicit UNet2DCondition(const Unet2dConditionConfig&, std::optional<at::Generator> initial = std::nullopt);
  /// Reads config.json and the weights of a folder; float32 in memory whatever the file holds, frozen
  /// (requires_grad false). Throws Error{missing_input | data}.
  static std::shared_ptr<UNet2DCondition> load(const std::string& directory,
                                               c10::Device device = c10::Device(c10::kCPU));

  /// @param sample                [B, in_channels, H, W], any floating dtype
  /// @param timestep              [B] float32
  /// @param encoder_hidden_states [B, n, cross_attention_dim]
  /// @return [B, out_channels, H, W] in the dtype of `sample`; the network computes in the dtype of its
  /// weights,
  ///         the sinusoids of the time in float32. H and W may be any size.
  /// Throws Error{data} for other shapes.
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep,
                     const at::Tensor& encoder_hidden_states);

  const Unet2dConditionConfig& config() const { return config_; }
  /// Gradient checkpointing: keep the inputs of residual blocks and transformers only, compute the rest again
  /// in the backward pass. The same gradients, for about a third more time.
  void set_gradient_checkpointing(bool on) { recompute_ = on; }
  /// Whether LoRA takes part in later calls of forward; the backward pass of a call uses what held then.
  void set_lora_enabled(bool on) { lora_enabled_ = on; }
  bool lora_enabled() const { return lora_enabled_; }

 private:
  Unet2dConditionConfig config_;
  std::shared_ptr<unet::Conv2d> conv_in_, conv_out_;
  std::shared_ptr<unet::TimeEmbedding> time_embedding_;
  std::vector<std::shared_ptr<unet::DownBlock>> down_blocks_;
  std::shared_ptr<unet::MidBlock> mid_block_;
  std::vector<std::shared_ptr<unet::UpBlock>> up_blocks_;
  std::shared_ptr<unet::GroupNorm> conv_norm_out_;
  bool recompute_ = false;
  bool lora_enabled_ = true;
};

} // namespace scoreact
