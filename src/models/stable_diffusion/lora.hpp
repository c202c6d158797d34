#pragma once
/// Low-rank adaptation (LoRA, Hu et al. 2021, arXiv:2106.09685) of a UNet2DCondition: the base stays frozen
/// and is shared by the adapted network (LoRA on) and the pretrained one (off, UNet2DCondition's
/// set_lora_enabled).
#include "models/clip/clip_text.hpp"
#include "models/stable_diffusion/lora_file.hpp"
#include "models/stable_diffusion/unet2d_condition.hpp"
#include "models/weights.hpp"

#include <cstdint>

namespace scoreact {

struct LoraOptions {
  long rank = 4;
  double alpha = 4; ///< scale = alpha / rank
  std::uint64_t seed = 0;
  /// Ends of the names of the linear maps that are adapted; the default are the attention projections (128 in
  /// Stable Diffusion 1.5), as diffusers' train_text_to_image_lora.py. Also: ff.net.0.proj, ff.net.2,
  /// proj_in, proj_out.
  std::vector<std::string> targets = {"to_q", "to_k", "to_v", "to_out.0"};
};

/// Freezes the network and adds a LoRA in float32, replacing any: peft's default initial values,
/// U(-1/sqrt(in), 1/sqrt(in)) for `down` by the keyed generator, 0 for `up`, so that the network's output
/// does not change. Throws Error{data} if a target is nowhere or the rank is not positive.
void add_lora(UNet2DCondition&, const LoraOptions&);

/// The trainable tensors, in a fixed order, under diffusers' names: unet.M.lora.down.weight [rank, in] and
/// unet.M.lora.up.weight [out, rank]. Without the scale, unlike a file.
NamedTensors lora_parameters(const UNet2DCondition&);

/// Freezes the network and adds the U-Net's LoRA of a file or folder of any spelling (lora_file.hpp),
/// replacing any. Throws Error{missing_input}, or Error{data} for a module that the network lacks or that has
/// other sizes.
void load_lora(UNet2DCondition&, const std::string& path);
/// The same with a file that has been read from `path`.
void load_lora(UNet2DCondition&, const LoraFile&, const std::string& path);

/// Adds scale up down of the file's text modules to the text encoder's weights, for good: it is not trained,
/// and runs a few times only. Throws Error{data} for a module that the network lacks or that has other sizes.
void merge_lora(ClipText&, const LoraFile&, const std::string& path);

/// Throws Error{internal} if there is no LoRA, Error{io} if the file cannot be written.
void save_lora(const UNet2DCondition&, const std::string& path, LoraSpelling);

} // namespace scoreact
