#pragma once
/// A reward model RM(x, c) of the final state; the paper's terminal reward h.
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

struct RewardOptions;

/// A copy of a reward's network whose last layers can be trained: F of eq. 20 for large models. Features are
/// what the frozen layers make of states; they can be kept while the rest is trained.
class TrainableReward {
 public:
  virtual ~TrainableReward() = default;
  /// x as Reward takes it -> [n, ...], without a graph unless x has one
  virtual at::Tensor features(const at::Tensor& x) = 0;
  /// Numbers of a row of features(), by which a program tells its memory beforehand.
  virtual long feature_elements() const = 0;
  /// features, prompt [n] -> [n] fp32
  virtual at::Tensor rear(const at::Tensor& features, const at::Tensor& prompt) = 0;
  /// rear(features(x)); first derivatives with respect to x, none to the parameters
  virtual at::Tensor value(const at::Tensor& x, const at::Tensor& prompt) {
    return rear(features(x), prompt);
  }
  virtual std::vector<std::pair<std::string, at::Tensor>>
  parameters() = 0; ///< what is trained, in a fixed order
};

class Reward {
 public:
  virtual ~Reward() = default;
  /// RM of final states x [n, ...] fp32 (pixels in [-1, 1] for images) under prompts [n] int64; returns [n]
  /// fp32. Differentiable rewards record a graph when grad mode is on.
  virtual at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) = 0;
  virtual bool differentiable() const = 0;
  virtual std::string name() const = 0;
  /// `frozen_fraction` of the layers stay frozen. Null: this reward has no network of which a part could be
  /// trained.
  virtual std::unique_ptr<TrainableReward> trainable_copy(double /*frozen_fraction*/) const {
    return nullptr;
  }
};

/// What a reward may need to know of the model whose samples it judges. The defaults are those of models
/// whose states are pixels or vectors, without texts.
struct RewardContext {
  std::vector<std::string> prompts; ///< texts; a sample's prompt counts them from 0
  /// States to pictures [n, 3, H, W], row by row (a decoder of latents); empty: the states are judged
  /// themselves.
  std::function<at::Tensor(const at::Tensor&)> to_pixels;
  /// Rows that are decoded and judged in one call, without a graph and with one; the bits depend on it.
  long decoded_together = 1, decoded_with_graph = 1;
  c10::Device device = c10::Device(c10::kCPU);
};

/// The weighted sum that a deck's [reward] names, of final states of shape `sample_shape`. Throws
/// Error{missing_input | data}.
std::shared_ptr<Reward> make_reward(const RewardOptions&, const std::vector<long>& sample_shape,
                                    const RewardContext& context = {});

} // namespace scoreact
