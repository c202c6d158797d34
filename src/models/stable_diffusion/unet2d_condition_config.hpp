#pragma once
/// Configuration of diffusers' UNet2DConditionModel (config.json): a missing key takes the class default,
/// null counts as missing, an unknown key is ignored, a value that this implementation lacks is refused.
#include <optional>
#include <string>
#include <vector>

namespace scoreact {

/// One resolution of the U-Net, on the way down and, mirrored, on the way up.
struct UnetLevel {
  long channels = 320;         ///< block_out_channels
  long layers = 2;             ///< layers_per_block; one more on the way up
  long heads = 8;              ///< attention_head_dim, which is the number of heads (diffusers issue 2011)
  long transformer_layers = 1; ///< transformer_layers_per_block
  long context_width = 1280;   ///< cross_attention_dim
  bool context_only = false;   ///< only_cross_attention: attn1 reads the text, too
  bool attention_down = true;  ///< CrossAttnDownBlock2D, else DownBlock2D
  bool attention_up = true; ///< CrossAttnUpBlock2D, else UpBlock2D; of the block on the way up at this level
};

struct Unet2dConditionConfig {
  long sample_height = 64, sample_width = 64; ///< sample_size, of the latents
  long in_channels = 4;
  long out_channels = 4;
  bool center_input_sample = false;
  bool flip_sin_to_cos = true;
  long freq_shift = 0;
  std::vector<UnetLevel> levels = {{}, {.channels = 640}, {.channels = 1280}, {.channels = 1280}};
  bool mid_block = true;               ///< mid_block_type: UNetMidBlock2DCrossAttn, or null for none
  bool mid_block_context_only = false; ///< mid_block_only_cross_attention
  long downsample_padding = 1;         ///< 0: pad right and bottom by one, then a convolution without padding
  double mid_block_scale_factor = 1;
  long norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool use_linear_projection = false;     ///< of a transformer's ends; else 1x1 convolutions
  bool scale_shift = false;               ///< resnet_time_scale_shift: "default" | "scale_shift"
  std::optional<long> time_embedding_dim; ///< null: 4 block_out_channels[0]
  long conv_in_kernel = 3, conv_out_kernel = 3;

  long time_width() const { return time_embedding_dim.value_or(4 * levels.front().channels); }
};

/// Reads `path` (config.json of a UNet2DConditionModel). Throws Error{missing_input}, or Error{data} naming
/// file and key.
Unet2dConditionConfig read_unet2d_condition_config(const std::string& path);
/// Throws Error{data} if the numbers do not fit each other; `where` begins the message.
void check_unet2d_condition_config(const Unet2dConditionConfig&, const std::string& where);
/// Writes what the reader above and diffusers read. Throws Error{io}.
void write_unet2d_condition_config(const Unet2dConditionConfig&, const std::string& path);

} // namespace scoreact
