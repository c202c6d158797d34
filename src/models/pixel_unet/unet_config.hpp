#pragma once
/// Configuration of diffusers' UNet2DModel (config.json): the keys that shape the network, with diffusers'
/// own defaults. A missing key takes the class default, an unknown key is ignored, a value that this
/// implementation lacks is refused.
#include <optional>
#include <string>
#include <vector>

namespace scoreact {

struct UnetConfig {
  long sample_height = 32, sample_width = 32; ///< sample_size, a number or [height, width]
  long in_channels = 3;
  long out_channels = 3;
  bool center_input_sample = false;
  std::optional<long> time_embedding_dim; ///< null: 4 block_out_channels[0]
  long freq_shift = 0;
  bool flip_sin_to_cos = true;
  std::vector<std::string> down_block_types = {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D",
                                               "AttnDownBlock2D"};
  bool mid_block = true; ///< mid_block_type null: none
  std::vector<std::string> up_block_types = {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"};
  std::vector<long> block_out_channels = {224, 448, 672, 896};
  long layers_per_block = 2;
  double mid_block_scale_factor = 1;
  long downsample_padding = 1; ///< 0: pad right and bottom by one, then a convolution without padding
  std::optional<long> attention_head_dim = 8; ///< width of a head; null: one head
  std::optional<long> norm_num_groups = 32;   ///< null: min(channels / 4, 32) where diffusers has that rule
  std::optional<long> attn_norm_num_groups;   ///< mid-block attention
  double norm_eps = 1e-5;
  bool scale_shift = false; ///< resnet_time_scale_shift: "default" | "scale_shift"
  bool add_attention = true;
  std::optional<long> num_class_embeds; ///< null: unconditional; the last class is the null condition

  long time_width() const { return time_embedding_dim.value_or(4 * block_out_channels.front()); }
  long groups() const; ///< of every GroupNorm outside the mid-block attention
};

/// Reads `path` (config.json of a UNet2DModel). Throws Error{missing_input} or Error{data} naming file and
/// key.
UnetConfig read_unet_config(const std::string& path);
/// Writes what diffusers' UNet2DModel.from_config reads. Throws Error{io}.
void write_unet_config(const UnetConfig&, const std::string& path);
/// Throws Error{data}, beginning with `origin`, unless the numbers fit each other (groups divide channels,
/// ...).
void check_unet_config(const UnetConfig&, const std::string& origin);

} // namespace scoreact
