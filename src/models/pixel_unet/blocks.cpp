#include "models/pixel_unet/blocks.hpp"

#include <torch/torch.h>

namespace scoreact::unet {
namespace {

/// diffusers keeps each block's parts in lists ("resnets.0", "attentions.0", "downsamplers.0.conv").
template <class Part>
void register_list(torch::nn::Module& owner, const char* name,
                   const std::vector<std::shared_ptr<Part>>& parts) {
  if (parts.empty()) {
    return;
  }
  torch::nn::ModuleList list;
  for (const auto& part : parts) {
    list->push_back(part);
  }
  owner.register_module(name, list);
}

class Resampler : public torch::nn::Module {
 public:
  explicit Resampler(const std::shared_ptr<Conv2d>& conv) { register_module("conv", conv); }
};

void register_resampler(torch::nn::Module& owner, const char* name, const std::shared_ptr<Conv2d>& conv) {
  register_list(owner, name, std::vector{std::make_shared<Resampler>(conv)});
}

std::shared_ptr<AttentionBlock> make_attention(long channels, const UnetConfig& config,
                                               std::optional<long> groups, double output_scale,
                                               Initial& initial) {
  return std::make_shared<AttentionBlock>(channels, config.attention_head_dim.value_or(channels), groups,
                                          config.norm_eps, output_scale, initial);
}

} // namespace

DownBlock::DownBlock(bool attention, long in, long out, bool downsample, const UnetConfig& config,
                     Initial& initial)
    : pad_right_bottom_(config.downsample_padding == 0) {
  for (long i = 0; i < config.layers_per_block; ++i) {
    resnets_.push_back(std::make_shared<ResnetBlock>(i == 0 ? in : out, out, config, 1.0, initial));
    if (attention) {
      attentions_.push_back(make_attention(out, config, config.groups(), 1.0, initial));
    }
  }
  register_list(*this, "attentions", attentions_);
  register_list(*this, "resnets", resnets_);
  if (downsample) {
    downsample_ = std::make_shared<Conv2d>(out, out, 3, 2, config.downsample_padding, initial);
    register_resampler(*this, "downsamplers", downsample_);
  }
}

at::Tensor DownBlock::forward(at::Tensor x, const at::Tensor& time, std::vector<at::Tensor>& skips) {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    x = resnets_[i]->forward(x, time);
    if (!attentions_.empty()) {
      x = attentions_[i]->forward(x);
    }
    skips.push_back(x);
  }
  if (downsample_) {
    x = downsample_->forward(pad_right_bottom_ ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x);
    skips.push_back(x);
  }
  return x;
}

MidBlock::MidBlock(long channels, const UnetConfig& config, Initial& initial) {
  const double scale = config.mid_block_scale_factor;
  resnets_.push_back(std::make_shared<ResnetBlock>(channels, channels, config, scale, initial));
  if (config.add_attention) {
    // diffusers: the norm is there by default, and with scale_shift only if attn_norm_num_groups asks for it
    std::optional<long> groups = config.attn_norm_num_groups;
    if (!groups && !config.scale_shift) {
      groups = config.groups();
    }
    attention_ = make_attention(channels, config, groups, scale, initial);
    register_list(*this, "attentions", std::vector{attention_});
  }
  resnets_.push_back(std::make_shared<ResnetBlock>(channels, channels, config, scale, initial));
  register_list(*this, "resnets", resnets_);
}

at::Tensor MidBlock::forward(const at::Tensor& x, const at::Tensor& time) {
  at::Tensor hidden = resnets_[0]->forward(x, time);
  if (attention_) {
    hidden = attention_->forward(hidden);
  }
  return resnets_[1]->forward(hidden, time);
}

UpBlock::UpBlock(bool attention, long in, long out, long previous_out, bool upsample,
                 const UnetConfig& config, Initial& initial) {
  const long layers = config.layers_per_block + 1;
  for (long i = 0; i < layers; ++i) {
    const long hidden = i == 0 ? previous_out : out;
    const long skip = i == layers - 1 ? in : out;
    resnets_.push_back(std::make_shared<ResnetBlock>(hidden + skip, out, config, 1.0, initial));
    if (attention) {
      attentions_.push_back(make_attention(out, config, config.groups(), 1.0, initial));
    }
  }
  register_list(*this, "attentions", attentions_);
  register_list(*this, "resnets", resnets_);
  if (upsample) {
    upsample_ = std::make_shared<Conv2d>(out, out, 3, 1, 1, initial);
    register_resampler(*this, "upsamplers", upsample_);
  }
}

at::Tensor UpBlock::forward(at::Tensor x, const at::Tensor& time, std::vector<at::Tensor>& skips) {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    x = resnets_[i]->forward(at::cat({x, skips.back()}, 1), time);
    skips.pop_back();
    if (!attentions_.empty()) {
      x = attentions_[i]->forward(x);
    }
  }
  if (upsample_) {
    x = upsample_->forward(at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}));
  }
  return x;
}

} // namespace scoreact::unet
