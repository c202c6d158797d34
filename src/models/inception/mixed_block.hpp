#pragma once
/// The parts of Inception v3 (Szegedy et al. 2016): a convolution with fixed batch statistics, and a block
/// of parallel branches. Module names are those of torchvision's inception.
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

namespace scoreact::inception {

/// Shape of one convolution; its input channels follow from where it stands.
struct ConvSpec {
  std::string name;
  long out;
  long height = 1, width = 1; ///< of the kernel
  long stride = 1;
  bool padded = true; ///< keeps the size (at stride 1)
};

/// relu(batch_norm(conv(x))): convolution without bias, statistics as stored (eps 1e-3).
class BasicConv : public torch::nn::Module {
 public:
  BasicConv(long in, const ConvSpec&);
  /// x [n, in, h, w] -> [n, out, h', w'], in the weights' dtype
  at::Tensor forward(const at::Tensor& x) const;
  /// Multiplies the norm into the convolution, in float64, for passes without a graph; to be called after the
  /// weights have changed.
  void fold();

 private:
  at::Tensor weight_, norm_weight_, norm_bias_, mean_, variance_; // shared with the named tensors
  at::Tensor folded_weight_, folded_bias_;
  long stride_;
  std::vector<std::int64_t> padding_;
};

enum class Pool { none, average, maximum, halving }; ///< 3 x 3; halving: maximum with stride 2, no padding

/// pool, then the chain of convolutions; `fork`: two more, side by side behind the chain.
struct BranchSpec {
  Pool pool = Pool::none;
  std::vector<ConvSpec> chain;
  std::vector<ConvSpec> fork = {};
};

/// The branches' outputs, one behind the other along the channels. The average leaves the padding out, as
/// TensorFlow's.
class MixedBlock : public torch::nn::Module {
 public:
  MixedBlock(long in, const std::vector<BranchSpec>&);
  at::Tensor forward(const at::Tensor& x) const;
  long out_channels() const { return out_channels_; }

 private:
  struct Branch {
    Pool pool;
    std::vector<std::shared_ptr<BasicConv>> chain, fork;
  };
  std::vector<Branch> branches_;
  long out_channels_ = 0;
};

} // namespace scoreact::inception
