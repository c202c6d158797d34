#include "models/classifier/classifier_network.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

/// Convolutions of hidden/2, hidden (stride 2) and hidden channels, pooled to at most 4 x 4, then a linear
/// map: 19,178 parameters for 8 x 8 digits at hidden = 32.
class ConvolutionalNetwork : public ClassifierNetwork {
 public:
  ConvolutionalNetwork(const ClassifierConfig& config, unet::Initial& initial) {
    const long width = config.hidden;
    conv1_ = register_module("conv1", std::make_shared<unet::Conv2d>(
                                          config.in_channels, std::max(width / 2, 1L), 3, 1, 1, initial));
    conv2_ = register_module(
        "conv2", std::make_shared<unet::Conv2d>(std::max(width / 2, 1L), width, 3, 2, 1, initial));
    conv3_ = register_module("conv3", std::make_shared<unet::Conv2d>(width, width, 3, 1, 1, initial));
    pooled_height_ = std::min((config.height + 1) / 2, 4L);
    pooled_width_ = std::min((config.width + 1) / 2, 4L);
    out_ = register_module("out", std::make_shared<unet::Linear>(width * pooled_height_ * pooled_width_,
                                                                 config.num_classes, initial));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor hidden = at::silu(unet::in_fastest_order(conv1_->forward(x)));
    hidden = at::silu(conv2_->forward(hidden));
    hidden = at::silu(conv3_->forward(hidden));
    if (hidden.size(2) != pooled_height_ || hidden.size(3) != pooled_width_) {
      hidden = at::adaptive_avg_pool2d(hidden, {pooled_height_, pooled_width_});
    }
    return out_->forward(hidden.flatten(1));
  }

 private:
  std::shared_ptr<unet::Conv2d> conv1_, conv2_, conv3_;
  std::shared_ptr<unet::Linear> out_;
  long pooled_height_, pooled_width_;
};

/// Pixels -> 4 hidden -> 4 hidden -> classes with rectifiers between.
class PerceptronNetwork : public ClassifierNetwork {
 public:
  PerceptronNetwork(const ClassifierConfig& config, unet::Initial& initial) {
    const long pixels = config.in_channels * config.height * config.width, width = 4 * config.hidden;
    linear1_ = register_module("linear1", std::make_shared<unet::Linear>(pixels, width, initial));
    linear2_ = register_module("linear2", std::make_shared<unet::Linear>(width, width, initial));
    out_ = register_module("out", std::make_shared<unet::Linear>(width, config.num_classes, initial));
  }

  at::Tensor forward(const at::Tensor& x) override {
    return out_->forward(at::relu(linear2_->forward(at::relu(linear1_->forward(x.flatten(1))))));
  }

 private:
  std::shared_ptr<unet::Linear> linear1_, linear2_, out_;
};

} // namespace

std::shared_ptr<ClassifierNetwork> make_classifier_network(const ClassifierConfig& config,
                                                           unet::Initial initial) {
  SCOREACT_REQUIRE(config.hidden > 0 && config.num_classes > 1, ExitCode::data,
                   "a classifier needs hidden > 0 and at least 2 classes; found {} and {}", config.hidden,
                   config.num_classes);
  if (config.kind == "classifier_cnn") {
    return std::make_shared<ConvolutionalNetwork>(config, initial);
  }
  SCOREACT_REQUIRE(config.kind == "classifier_mlp", ExitCode::data,
                   "classifier: expected kind classifier_cnn or classifier_mlp, found \"{}\"", config.kind);
  return std::make_shared<PerceptronNetwork>(config, initial);
}

} // namespace scoreact
