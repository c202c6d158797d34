#pragma once
/// diffusers' AutoencoderKL: pixels to latents and back, for Stable Diffusion. Keep it in float32 (or
/// bfloat16): in float16 it overflows.
#include <ATen/core/Generator.h>
#include <c10/core/Device.h>
#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

namespace unet {
class Conv2d;
}

/// config.json of an AutoencoderKL: a missing key takes the class default, null counts as missing, an unknown
/// key is ignored, a value that this implementation lacks is refused.
struct AutoencoderKlConfig {
  long in_channels = 3;
  long out_channels = 3;
  long latent_channels = 4;
  std::vector<long> block_out_channels = {64};
  long layers_per_block = 1;
  long norm_num_groups = 32;
  long sample_size = 32; ///< pixels, of the training images
  double scaling_factor = 0.18215;
  bool use_quant_conv = true, use_post_quant_conv = true;
  bool mid_block_add_attention = true;
};
/// Throws Error{missing_input}, or Error{data} naming file and key.
AutoencoderKlConfig read_autoencoder_kl_config(const std::string& path);
/// What the reader above and diffusers read. Throws Error{io}.
void write_autoencoder_kl_config(const AutoencoderKlConfig&, const std::string& path);
/// Throws Error{data} if the numbers cannot belong to a network; `where` is the file.
void check_autoencoder_kl_config(const AutoencoderKlConfig&, const std::string& where);

class AutoencoderKL : public torch::nn::Module {
 public:
  /// PyTorch's default initial values, drawn from `initial`; without it weights are uninitialised: load them.
  /// Parameters have diffusers' names.
  explicit AutoencoderKL(const AutoencoderKlConfig&, std::optional<at::Generator> initial = std::nullopt);
  /// Reads config.json and the weights of a folder (old attention names too); float32 in memory, frozen
  /// (requires_grad false). Throws Error{missing_input | data}.
  static std::shared_ptr<AutoencoderKL> load(const std::string& directory,
                                             c10::Device device = c10::Device(c10::kCPU));

  /// pixels [B, in_channels, H, W] in [-1, 1], H and W multiples of downscale() -> mean and logvar, each
  /// [B, latent_channels, H / downscale(), W / downscale()] in the dtype of `pixels`; logvar clamped to
  /// [-30, 20]. Latents of the pipeline are scaling_factor() times a draw from this Gaussian. Throws
  /// Error{data} for other shapes.
  std::pair<at::Tensor, at::Tensor> encode(const at::Tensor& pixels);
  /// Unscaled latents [B, latent_channels, h, w], that is the pipeline's divided by scaling_factor() ->
  /// pixels [B, out_channels, downscale() h, downscale() w], about [-1, 1], unbounded, in the dtype of
  /// `latents`. Throws Error{data} for other shapes.
  at::Tensor decode(const at::Tensor& latents);

  const AutoencoderKlConfig& config() const { return config_; }
  double scaling_factor() const { return config_.scaling_factor; }
  long latent_channels() const { return config_.latent_channels; }
  long downscale() const { return 1L << (config_.block_out_channels.size() - 1); }
  /// Gradient checkpointing of the decoder: keep the inputs of residual blocks only, compute the rest again
  /// in the backward pass.
  void set_gradient_checkpointing(bool on) { recompute_ = on; }

 private:
  class Encoder;
  class Decoder;
  AutoencoderKlConfig config_;
  std::shared_ptr<Encoder> encoder_;
  std::shared_ptr<Decoder> decoder_;
  std::shared_ptr<unet::Conv2d> quant_conv_, post_quant_conv_;
  bool recompute_ = false;
};

/// Writes config.json and diffusion_pytorch_model.safetensors (in the parameters' dtype), as diffusers loads
/// them; `config` may differ from the network's in scaling_factor. Makes the folder. Throws Error{io}.
void save_autoencoder_kl(const AutoencoderKL&, const AutoencoderKlConfig& config, const std::string& folder);

} // namespace scoreact
