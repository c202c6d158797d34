#include "models/inception/mixed_block.hpp"

#include <torch/torch.h>

namespace scoreact::inception {

namespace {

constexpr double kEps = 1e-3;

at::Tensor pooled(const at::Tensor& x, Pool pool) {
  switch (pool) {
  case Pool::average:
    return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, /*count_include_pad=*/false);
  case Pool::maximum:
    return at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1});
  case Pool::halving:
    return at::max_pool2d(x, {3, 3}, {2, 2});
  case Pool::none:
    break;
  }
  return x;
}

} // namespace

BasicConv::BasicConv(long in, const ConvSpec& spec)
    : stride_(spec.stride),
      padding_(spec.padded ? std::vector<std::int64_t>{(spec.height - 1) / 2, (spec.width - 1) / 2}
                           : std::vector<std::int64_t>{0, 0}) {
  const auto conv = register_module("conv", std::make_shared<torch::nn::Module>("conv"));
  weight_ = conv->register_parameter("weight", torch::empty({spec.out, in, spec.height, spec.width}), false);
  const auto norm = register_module("bn", std::make_shared<torch::nn::Module>("bn"));
  norm_weight_ = norm->register_parameter("weight", torch::ones({spec.out}), false);
  norm_bias_ = norm->register_parameter("bias", torch::zeros({spec.out}), false);
  mean_ = norm->register_buffer("running_mean", torch::zeros({spec.out}));
  variance_ = norm->register_buffer("running_var", torch::ones({spec.out}));
}

void BasicConv::fold() {
  torch::NoGradGuard no_grad;
  const at::Tensor scale = norm_weight_.to(at::kDouble) / (variance_.to(at::kDouble) + kEps).sqrt();
  folded_weight_ = (weight_.to(at::kDouble) * scale.view({-1, 1, 1, 1})).to(weight_.scalar_type());
  folded_bias_ = (norm_bias_.to(at::kDouble) - mean_.to(at::kDouble) * scale).to(weight_.scalar_type());
}

at::Tensor BasicConv::forward(const at::Tensor& x) const {
  // Gradients of ReLU and of maxima jump: rounded another way, a few of them are other gradients. With a
  // graph the operations are therefore those of the original, one by one.
  if (at::GradMode::is_enabled() && x.requires_grad())
    return at::relu(at::batch_norm(at::conv2d(x, weight_, {}, stride_, padding_), norm_weight_, norm_bias_,
                                   mean_, variance_, /*training=*/false, /*momentum=*/0.1, kEps,
                                   /*cudnn_enabled=*/true));
  return at::conv2d(x, folded_weight_, folded_bias_, stride_, padding_).relu_();
}

MixedBlock::MixedBlock(long in, const std::vector<BranchSpec>& specs) {
  for (const BranchSpec& spec : specs) {
    Branch branch{spec.pool, {}, {}};
    long channels = in;
    const auto make = [this](long from, const ConvSpec& conv) {
      return register_module(conv.name, std::make_shared<BasicConv>(from, conv));
    };
    for (const ConvSpec& conv : spec.chain) {
      branch.chain.push_back(make(channels, conv));
      channels = conv.out;
    }
    for (const ConvSpec& conv : spec.fork) {
      branch.fork.push_back(make(channels, conv));
      out_channels_ += conv.out;
    }
    out_channels_ += spec.fork.empty() ? channels : 0;
    branches_.push_back(std::move(branch));
  }
}

at::Tensor MixedBlock::forward(const at::Tensor& x) const {
  std::vector<at::Tensor> parts;
  for (const Branch& branch : branches_) {
    at::Tensor y = pooled(x, branch.pool);
    for (const auto& conv : branch.chain)
      y = conv->forward(y);
    for (const auto& conv : branch.fork)
      parts.push_back(conv->forward(y));
    if (branch.fork.empty())
      parts.push_back(y);
  }
  return at::cat(parts, 1);
}

} // namespace scoreact::inception
