#include "models/pixel_unet/resnet_block.hpp"

#include <torch/torch.h>

namespace scoreact::unet {

ResnetBlock::ResnetBlock(long in, long out, const ResnetShape& shape, Initial& initial)
    : scale_shift_(shape.scale_shift), output_scale_(shape.output_scale) {
  norm1_ = register_module("norm1", std::make_shared<GroupNorm>(shape.groups, in, shape.eps));
  conv1_ = register_module("conv1", std::make_shared<Conv2d>(in, out, 3, 1, 1, initial));
  if (shape.time_width) {
    time_emb_proj_ = register_module(
        "time_emb_proj", std::make_shared<Linear>(*shape.time_width, scale_shift_ ? 2 * out : out, initial));
  }
  norm2_ = register_module("norm2", std::make_shared<GroupNorm>(shape.groups, out, shape.eps));
  conv2_ = register_module("conv2", std::make_shared<Conv2d>(out, out, 3, 1, 1, initial));
  if (in != out) {
    conv_shortcut_ = register_module("conv_shortcut", std::make_shared<Conv2d>(in, out, 1, 1, 0, initial));
  }
}

at::Tensor ResnetBlock::forward(const at::Tensor& x, const at::Tensor& time) {
  at::Tensor hidden = conv1_->forward(norm1_->forward_silu(x));
  const at::Tensor embedded = time_emb_proj_ ? time_emb_proj_->forward(time) : at::Tensor();
  if (scale_shift_ && embedded.defined()) {
    const auto halves = embedded.unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
    hidden = at::silu(norm2_->forward(hidden) * (1 + halves[0]) + halves[1]);
  } else {
    hidden = norm2_->forward_silu(hidden, embedded);
  }
  hidden = conv2_->forward(hidden);
  const at::Tensor sum = (conv_shortcut_ ? conv_shortcut_->forward(x) : x) + hidden;
  return output_scale_ == 1.0 ? sum : sum / output_scale_;
}

} // namespace scoreact::unet
