#include "models/stable_diffusion/spatial_transformer.hpp"

#include <torch/torch.h>

namespace scoreact::unet {

ContextAttention::ContextAttention(long channels, long context_width, long heads, Initial& initial)
    : heads_(heads) {
  const auto projection = [&](const char* name, long in) {
    return register_module(name,
                           std::make_shared<AdaptedLinear>(in, channels, initial, LinearForm{.bias = false}));
  };
  to_q_ = projection("to_q", channels);
  to_k_ = projection("to_k", context_width);
  to_v_ = projection("to_v", context_width);
  to_out_ = std::make_shared<AdaptedLinear>(channels, channels, initial);
  register_module("to_out", torch::nn::ModuleList())->push_back(to_out_);
}

at::Tensor ContextAttention::forward(const at::Tensor& x, const at::Tensor& context, bool adapted) {
  const auto split = [&](const at::Tensor& projected) {
    return projected.view({projected.size(0), projected.size(1), heads_, projected.size(2) / heads_})
        .transpose(1, 2);
  };
  const at::Tensor mixed =
      attention(split(to_q_->forward(x, adapted)), split(to_k_->forward(context, adapted)),
                split(to_v_->forward(context, adapted)));
  return to_out_->forward(mixed.transpose(1, 2).reshape(x.sizes()), adapted);
}

FeedForward::FeedForward(long channels, Initial& initial) {
  constexpr long widening = 4;
  in_ = std::make_shared<AdaptedLinear>(channels, 2 * widening * channels, initial);
  out_ = std::make_shared<AdaptedLinear>(widening * channels, channels, initial);
  // names of diffusers: net.0.proj (GEGLU), net.1 (dropout, without tensors), net.2
  const auto gate = std::make_shared<torch::nn::Module>();
  gate->register_module("proj", in_);
  torch::nn::ModuleList net;
  net->push_back(gate);
  net->push_back(std::make_shared<torch::nn::Module>());
  net->push_back(out_);
  register_module("net", net);
}

at::Tensor FeedForward::forward(const at::Tensor& x, bool adapted) {
  const auto halves = in_->forward(x, adapted).chunk(2, -1);
  return out_->forward(halves[0] * at::gelu(halves[1]), adapted);
}

TransformerBlock::TransformerBlock(const TransformerShape& shape, Initial& initial)
    : context_only_(shape.context_only) {
  constexpr double eps = 1e-5;
  const long width = shape.channels;
  const auto norm = [&](const char* name) {
    return register_module(name, std::make_shared<LayerNorm>(width, eps));
  };
  const auto attention_to = [&](const char* name, long context_width) {
    return register_module(name,
                           std::make_shared<ContextAttention>(width, context_width, shape.heads, initial));
  };
  norm1_ = norm("norm1");
  attn1_ = attention_to("attn1", context_only_ ? shape.context_width : width);
  norm2_ = norm("norm2");
  attn2_ = attention_to("attn2", shape.context_width);
  norm3_ = norm("norm3");
  ff_ = register_module("ff", std::make_shared<FeedForward>(width, initial));
}

at::Tensor TransformerBlock::forward(const at::Tensor& x, const Conditions& conditions) {
  const bool adapted = conditions.adapted;
  const at::Tensor first = norm1_->forward(x);
  at::Tensor sum = x + attn1_->forward(first, context_only_ ? conditions.context : first, adapted);
  sum = sum + attn2_->forward(norm2_->forward(sum), conditions.context, adapted);
  return sum + ff_->forward(norm3_->forward(sum), adapted);
}

SpatialTransformer::SpatialTransformer(const TransformerShape& shape, Initial& initial) {
  constexpr double eps = 1e-6; // and not the residual blocks' 1e-5
  const LinearForm form{.bias = true, .convolution = !shape.linear_ends};
  norm_ = register_module("norm", std::make_shared<GroupNorm>(shape.groups, shape.channels, eps));
  proj_in_ = register_module("proj_in",
                             std::make_shared<AdaptedLinear>(shape.channels, shape.channels, initial, form));
  torch::nn::ModuleList blocks;
  for (long i = 0; i < shape.layers; ++i) {
    blocks_.push_back(std::make_shared<TransformerBlock>(shape, initial));
    blocks->push_back(blocks_.back());
  }
  register_module("transformer_blocks", blocks);
  proj_out_ = register_module("proj_out",
                              std::make_shared<AdaptedLinear>(shape.channels, shape.channels, initial, form));
}

at::Tensor SpatialTransformer::forward(const at::Tensor& x, const Conditions& conditions) {
  const at::Tensor pixels = norm_->forward(x).flatten(2).transpose(1, 2).contiguous();
  at::Tensor tokens = proj_in_->forward(pixels, conditions.adapted);
  for (const auto& block : blocks_) {
    tokens = block->forward(tokens, conditions);
  }
  const at::Tensor out = proj_out_->forward(tokens, conditions.adapted);
  return x + out.transpose(1, 2).reshape(x.sizes()); // in the order in memory of x
}

} // namespace scoreact::unet
