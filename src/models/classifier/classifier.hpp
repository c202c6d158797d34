#pragma once
/// A small image classifier p(c | x): the reward model and the judge of the digit study. Two architectures
/// that share nothing: classifier_cnn, three convolutions and a linear map; classifier_mlp, three linear
/// maps.
#include "models/weights.hpp"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <string>

namespace scoreact {

struct ClassifierConfig {
  std::string kind = "classifier_cnn"; ///< classifier_cnn | classifier_mlp
  long in_channels = 1, height = 8, width = 8;
  long num_classes = 10;
  long hidden = 32; ///< channels of the last convolutions; the mlp's layers are 4 hidden wide
};

class ClassifierNetwork;

class Classifier {
 public:
  /// Initial values as PyTorch's defaults, drawn on the CPU from `seed`. Throws Error{data} for an unknown
  /// kind.
  Classifier(const ClassifierConfig&, std::uint64_t seed);
  ~Classifier();
  /// Reads config.json (_class_name ScoreactClassifier) and model.safetensors. Parameters do not require
  /// gradients. Throws Error{missing_input | data}.
  static std::shared_ptr<Classifier> load(const std::string& directory,
                                          c10::Device device = c10::Device(c10::kCPU));

  /// x [n, C, H, W] fp32, pixels in [-1, 1] -> logits [n, num_classes]. Throws Error{data} for another image
  /// size.
  at::Tensor logits(const at::Tensor& x);
  /// log p(c | x) [n, num_classes], nats
  at::Tensor log_prob(const at::Tensor& x);
  const ClassifierConfig& config() const { return config_; }
  NamedTensors named_parameters() const;
  void to(c10::Device device);
  /// Writes config.json and model.safetensors. Throws Error{io}.
  void save(const std::string& directory) const;

 private:
  ClassifierConfig config_;
  std::shared_ptr<ClassifierNetwork> network_;
};

} // namespace scoreact
