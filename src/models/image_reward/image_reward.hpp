#pragma once
/// ImageReward (Xu et al., 2023): how well an image serves a prompt. BLIP's vision tower, BERT that looks at
/// the image in every layer, and linear maps without activation on the state of the first token. Always
/// without dropout.
///
/// For the value function of eq. 20 the network can be cut: front() is what stays frozen and depends on the
/// image alone, so that its features can be kept; rear() is the rest. The released code of the paper trains
/// the last 30 % of both towers' layers in this way (scripts/src/ImageReward_VN_train.py, fix_rate 0.7).
#include "models/image_reward/blip_text.hpp"
#include "models/image_reward/blip_vision.hpp"
#include "models/weights.hpp"

#include <c10/core/Device.h>

namespace scoreact {

class ImageReward : public torch::nn::Module {
 public:
  /// Mean and standard deviation of the raw reward that ImageReward 1.0 normalises with.
  static constexpr double mean = 0.16717362830052426, deviation = 1.0333394966054072;
  /// Ids a prompt: longer ones are cut, shorter ones padded.
  static constexpr long prompt_length = 35;

  /// Tensors without values.
  explicit ImageReward(const ImageRewardConfig&);
  /// Reads med_config.json and ImageReward.pt (or ImageReward.safetensors, the same tensors converted). fp32
  /// in memory, no gradients. Throws Error{missing_input | data}.
  static std::shared_ptr<ImageReward> load(const std::string& directory, c10::Device device);

  /// pixel_values [n, 3, S, S] fp32 normalised (S = image_size()), input_ids and attention_mask [n, L] int64
  /// -> raw reward [n] fp32. Records a graph to the pixels. Throws Error{data} for other shapes.
  at::Tensor forward(const at::Tensor& pixel_values, const at::Tensor& input_ids,
                     const at::Tensor& attention_mask) const;
  /// (raw - mean) / deviation: what users of ImageReward call the reward.
  static at::Tensor normalised(const at::Tensor& raw) { return (raw - mean) / deviation; }

  /// A copy whose last layers can be trained: vision blocks from floor(frozen_fraction depth) on with the
  /// norm behind them, text layers from floor(frozen_fraction layers) on, and the head require gradients. The
  /// rest is frozen and shares its memory with this network: embeddings, the first layers, and both
  /// projections that the reward does not use. Throws Error{data} unless 0 <= frozen_fraction <= 1.
  std::shared_ptr<ImageReward> trainable_copy(double frozen_fraction) const;
  /// What trainable_copy lets train, in the order of the file; empty for a loaded network.
  NamedTensors trainable_parameters() const;

  /// The frozen vision blocks (all of them for a loaded network): pixel_values as in forward -> features
  /// [n, patches + 1, width]. With the same frozen_fraction, copies of one network have the same features.
  at::Tensor front(const at::Tensor& pixel_values) const;
  /// Numbers of a row of front().
  long front_elements() const;
  /// Everything behind: forward = rear(front(pixel_values), ...).
  at::Tensor rear(const at::Tensor& features, const at::Tensor& input_ids,
                  const at::Tensor& attention_mask) const;

  long image_size() const { return config_.vision.image_size; }
  const ImageRewardConfig& config() const { return config_; }

 private:
  /// Whether a tensor of this name stays frozen with so many frozen layers.
  static bool is_frozen(const std::string& name, long vision_blocks, long text_layers);

  ImageRewardConfig config_;
  long frozen_blocks_; ///< vision blocks of the front
  std::shared_ptr<BlipVision> visual_encoder_;
  std::shared_ptr<BlipText> text_encoder_;
  std::vector<std::shared_ptr<transformer::Linear>> head_;
};

} // namespace scoreact
