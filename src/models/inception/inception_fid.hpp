#pragma once
/// The Inception v3 network of the Frechet inception distance (Heusel et al. 2017): TensorFlow's graph of
/// 2015-12-05 in PyTorch's layout, with the weights of pytorch-fid and torch-fidelity. It differs from
/// torchvision's network: averages leave the padding out, and Mixed_7c pools with the maximum.
#include "models/inception/mixed_block.hpp"
#include "models/weights.hpp"

#include <c10/core/Device.h>

#include <array>
#include <memory>
#include <string>

namespace scoreact {

class InceptionFid : public torch::nn::Module {
 public:
  /// Name of the weight file without its ending.
  static constexpr const char* kStem = "pt_inception-2015-12-05-6726825d";
  static constexpr long kSize = 299; ///< pixels a side
  /// Numbers a picture, by where they are taken: behind the first and the second maximum pool, behind
  /// Mixed_6e, at the end.
  static constexpr std::array<long, 4> kDims = {64, 192, 768, 2048};

  /// Weights are undefined until named_tensors() have been filled and fold() called.
  InceptionFid();
  /// Reads `where`: a weight file (.pth, .safetensors), or a folder with kStem.safetensors or kStem.pth.
  /// Throws Error{missing_input | data}.
  static std::shared_ptr<InceptionFid> load(const std::string& where, c10::Device device);

  /// x [n, 3, 299, 299] fp32 as inception_input makes it -> [n, dims] fp32: the activations at one of kDims,
  /// averaged over the picture. Differentiable with respect to x.
  at::Tensor features(const at::Tensor& x, long dims = 2048) const;
  /// The last layer, without softmax: features [n, 2048] -> [n, 1008]. The distance doesn't use it.
  at::Tensor logits(const at::Tensor& features) const;

  /// All 472 tensors of the layout, batch statistics included.
  NamedTensors named_tensors() const;
  /// Prepares the weights for use.
  void fold();

 private:
  std::shared_ptr<inception::BasicConv> add_conv(long in, const inception::ConvSpec&);
  std::vector<std::shared_ptr<inception::BasicConv>> stem_;
  std::vector<std::shared_ptr<inception::MixedBlock>> blocks_;
  at::Tensor fc_weight_, fc_bias_;
};

} // namespace scoreact
