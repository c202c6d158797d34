#pragma once
/// The two networks behind Classifier.
#include "models/classifier/classifier.hpp"
#include "models/pixel_unet/layers.hpp"

namespace scoreact {

class ClassifierNetwork : public torch::nn::Module {
 public:
  /// x [n, C, H, W] -> logits [n, classes]
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

/// Throws Error{data} for an unknown kind.
std::shared_ptr<ClassifierNetwork> make_classifier_network(const ClassifierConfig&, unet::Initial);

} // namespace scoreact
