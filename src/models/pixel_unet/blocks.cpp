#include "models/pixel_unet/blocks.hpp"

#include "models/recompute.hpp"

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

/// The residual block on [x, skip], or on x alone if there is no skip.
at::Tensor run_layer(const std::shared_ptr<ResnetBlock>& block, const at::Tensor& x, const at::Tensor& skip,
                     const Conditions& conditions) {
  const Segment segment = [block](const std::vector<at::Tensor>& inputs) {
    return block->forward(inputs[1].defined() ? at::cat({inputs[0], inputs[1]}, 1) : inputs[0], inputs[2]);
  };
  const std::vector<at::Tensor> inputs = {x, skip, conditions.time};
  return conditions.recompute ? recomputed(segment, inputs, block->parameters()) : segment(inputs);
}

at::Tensor run_layer(const std::shared_ptr<SpatialAttention>& block, const at::Tensor& x,
                     const Conditions& conditions) {
  if (!conditions.recompute) {
    return block->forward(x, conditions);
  }
  const Segment segment = [block, adapted = conditions.adapted](const std::vector<at::Tensor>& inputs) {
    return block->forward(inputs[0], {.time = {}, .context = inputs[1], .adapted = adapted});
  };
  return recomputed(segment, {x, conditions.context}, block->parameters());
}

} // namespace

DownBlock::DownBlock(long in, long out, std::optional<long> downsample, const LevelShape& shape,
                     Initial& initial)
    : pad_right_bottom_(downsample == 0) {
  for (long i = 0; i < shape.layers; ++i) {
    resnets_.push_back(std::make_shared<ResnetBlock>(i == 0 ? in : out, out, shape.resnet, initial));
    if (shape.attention) {
      attentions_.push_back(shape.attention(initial));
    }
  }
  register_list(*this, "attentions", attentions_);
  register_list(*this, "resnets", resnets_);
  if (downsample) {
    downsample_ = std::make_shared<Conv2d>(out, out, 3, 2, *downsample, initial);
    register_resampler(*this, "downsamplers", downsample_);
  }
}

at::Tensor DownBlock::forward(at::Tensor x, const Conditions& conditions, std::vector<at::Tensor>* skips) {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    x = run_layer(resnets_[i], x, {}, conditions);
    if (!attentions_.empty()) {
      x = run_layer(attentions_[i], x, conditions);
    }
    if (skips) {
      skips->push_back(x);
    }
  }
  if (downsample_) {
    x = downsample_->forward(pad_right_bottom_ ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x);
    if (skips) {
      skips->push_back(x);
    }
  }
  return x;
}

MidBlock::MidBlock(long channels, const ResnetShape& shape, const MakeAttention& attention,
                   Initial& initial) {
  resnets_.push_back(std::make_shared<ResnetBlock>(channels, channels, shape, initial));
  if (attention) {
    attentions_.push_back(attention(initial));
    register_list(*this, "attentions", attentions_);
  }
  resnets_.push_back(std::make_shared<ResnetBlock>(channels, channels, shape, initial));
  register_list(*this, "resnets", resnets_);
}

at::Tensor MidBlock::forward(const at::Tensor& x, const Conditions& conditions) {
  at::Tensor hidden = run_layer(resnets_[0], x, {}, conditions);
  if (!attentions_.empty()) {
    hidden = run_layer(attentions_[0], hidden, conditions);
  }
  return run_layer(resnets_[1], hidden, {}, conditions);
}

UpBlock::UpBlock(const std::vector<long>& inputs, long out, bool upsample, const LevelShape& shape,
                 Initial& initial) {
  for (const long in : inputs) {
    resnets_.push_back(std::make_shared<ResnetBlock>(in, out, shape.resnet, initial));
    if (shape.attention) {
      attentions_.push_back(shape.attention(initial));
    }
  }
  register_list(*this, "attentions", attentions_);
  register_list(*this, "resnets", resnets_);
  if (upsample) {
    upsample_ = std::make_shared<Conv2d>(out, out, 3, 1, 1, initial);
    register_resampler(*this, "upsamplers", upsample_);
  }
}

at::Tensor UpBlock::forward(at::Tensor x, const Conditions& conditions, std::vector<at::Tensor>* skips) {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    at::Tensor skip;
    if (skips) {
      skip = skips->back();
      skips->pop_back();
    }
    x = run_layer(resnets_[i], x, skip, conditions);
    if (!attentions_.empty()) {
      x = run_layer(attentions_[i], x, conditions);
    }
  }
  if (upsample_) {
    const bool next = skips && !skips->empty(); // of a size that was odd, its level down lost a row or column
    const long height = next ? skips->back().size(2) : 2 * x.size(2);
    const long width = next ? skips->back().size(3) : 2 * x.size(3);
    x = upsample_->forward(at::upsample_nearest2d(x, {height, width}));
  }
  return x;
}

std::vector<long> skip_inputs(long layers, long previous, long out, long next) {
  std::vector<long> inputs;
  for (long i = 0; i < layers; ++i) {
    inputs.push_back((i == 0 ? previous : out) + (i == layers - 1 ? next : out));
  }
  return inputs;
}

} // namespace scoreact::unet
