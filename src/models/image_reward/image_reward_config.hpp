#pragma once
/// Sizes of an ImageReward network. The text tower's stand in med_config.json; nothing but the tensors
/// themselves tells the vision tower's and the head's.
#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

namespace scoreact {

/// BLIP's vision transformer; the defaults are ViT-L/16, which ImageReward 1.0 has.
struct BlipVisionConfig {
  long width = 1024, depth = 24, heads = 16, mlp_width = 4096;
  long patch_size = 16, image_size = 224;
};

/// BERT with cross-attention to the image in every layer; the defaults are those of ImageReward 1.0.
struct BlipTextConfig {
  long width = 768, layers = 12, heads = 12, mlp_width = 3072;
  long vocab_size = 30524, max_positions = 512;
  double layer_norm_eps = 1e-12;
};

struct ImageRewardConfig {
  BlipVisionConfig vision;
  BlipTextConfig text;
  long joint_width = 256;                          ///< of the two projections that the reward does not use
  std::vector<long> head = {1024, 128, 64, 16, 1}; ///< outputs of the head's linear maps
};

/// The text tower's sizes from med_config.json. Throws Error{missing_input | data}, naming file and key.
BlipTextConfig read_med_config(const std::string& path);
/// Throws Error{io}.
void write_med_config(const BlipTextConfig&, const std::string& path);

/// The other sizes from the tensors' shapes; the vision tower has width / 64 heads, at least 1, as both of
/// BLIP's have. Throws Error{data} if a tensor that tells a size is missing; `where` is the file.
ImageRewardConfig image_reward_config(const BlipTextConfig&, const std::map<std::string, at::Tensor>& tensors,
                                      const std::string& where);

} // namespace scoreact
