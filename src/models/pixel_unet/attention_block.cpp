#include "models/pixel_unet/attention_block.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact::unet {

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  constexpr long few_tokens = 64; // below, LibTorch's blocked kernel for the host costs more than it saves
  if (!q.is_cpu() || q.size(2) > few_tokens) {
    return at::scaled_dot_product_attention(q, k, v);
  }
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  return at::matmul(at::softmax(at::matmul(q * scale, k.transpose(2, 3)), -1), v);
}

AttentionBlock::AttentionBlock(long channels, long head_dim, std::optional<long> groups, double eps,
                               double output_scale, Initial& initial)
    : heads_(channels / head_dim), output_scale_(output_scale) {
  SCOREACT_REQUIRE(heads_ > 0 && channels % head_dim == 0, ExitCode::data,
                   "attention_head_dim {} does not divide a block of {} channels", head_dim, channels);
  if (groups) {
    SCOREACT_REQUIRE(*groups > 0 && channels % *groups == 0, ExitCode::data,
                     "the attention norm's {} groups do not divide {} channels", *groups, channels);
    group_norm_ = register_module("group_norm", std::make_shared<GroupNorm>(*groups, channels, eps));
  }
  to_q_ = register_module("to_q", std::make_shared<Linear>(channels, channels, initial));
  to_k_ = register_module("to_k", std::make_shared<Linear>(channels, channels, initial));
  to_v_ = register_module("to_v", std::make_shared<Linear>(channels, channels, initial));
  to_out_ = std::make_shared<Linear>(channels, channels, initial);
  register_module("to_out", torch::nn::ModuleList())->push_back(to_out_);
}

at::Tensor AttentionBlock::forward(const at::Tensor& x, const Conditions&) {
  const auto batch = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
  const at::Tensor tokens =
      (group_norm_ ? group_norm_->forward(x) : x).reshape({batch, channels, pixels}).transpose(1, 2);
  const auto split = [&](const at::Tensor& projected) {
    return projected.reshape({batch, pixels, heads_, channels / heads_}).transpose(1, 2);
  };
  const at::Tensor mixed =
      attention(split(to_q_->forward(tokens)), split(to_k_->forward(tokens)), split(to_v_->forward(tokens)));
  const at::Tensor out = to_out_->forward(mixed.transpose(1, 2).reshape({batch, pixels, channels}));
  const at::Tensor sum = x + out.transpose(1, 2).reshape(x.sizes()); // the first operand's order in memory
  return output_scale_ == 1.0 ? sum : sum / output_scale_;
}

} // namespace scoreact::unet
