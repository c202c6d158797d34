#pragma once
/// Files of LoRA weights for a U-Net and its text encoder, in the spellings that are in use. A module is
/// named as in diffusers, e.g. M = down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q, or as in
/// transformers, e.g. T = text_model.encoder.layers.0.self_attn.q_proj:
///
/// | spelling  | tensors                                                                               |
/// |-----------|---------------------------------------------------------------------------------------|
/// | diffusers | unet.M.lora.down.weight, unet.M.lora.up.weight,                                       |
/// |           | text_encoder.T.lora_linear_layer.down.weight, ...up.weight                            |
/// | peft      | unet.M.lora_A.weight, unet.M.lora_B.weight, text_encoder.T.lora_A.weight, ...; in a   |
/// |           | folder adapter_config.json and, in adapter_model.safetensors,                         |
/// |           | base_model.model.M.lora_A.weight, ...lora_B.weight, of one network                    |
/// | kohya     | lora_unet_M.lora_down.weight, .lora_up.weight, .alpha, with _ for the dots of M;      |
/// |           | lora_te_T likewise                                                                    |
///
/// Read, but not written: diffusers' former attention processors (....attn1.processor.to_q_lora.down.weight,
/// ....self_attn.to_q_lora.down.weight).
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace scoreact {

enum class LoraSpelling { diffusers, peft, kohya };
/// Throws Error{usage} for another name.
LoraSpelling lora_spelling(const std::string& name);

struct LoraModule {
  std::string name; ///< of the adapted linear map, M or T above
  at::Tensor down;  ///< [rank, in]
  at::Tensor up;    ///< [out, rank]
  double scale = 1; ///< alpha / rank: y = W x + scale up down x

  long rank() const { return down.size(0); }
};

struct LoraFile {
  std::vector<LoraModule> modules;      ///< of the U-Net, in the order of their names
  std::vector<LoraModule> text_modules; ///< of the text encoder, likewise
  /// What the U-Net's `target_modules` in the metadata shall say: ends of module names. Empty: the modules'
  /// full names.
  std::vector<std::string> targets;
};

/// Reads a file of any spelling, or a folder with one: pytorch_lora_weights.safetensors, or
/// adapter_model.safetensors with adapter_config.json; either may end in .bin. The scale is alpha / rank with
/// alpha from the tensors (kohya), the file's metadata (diffusers) or adapter_config.json (peft); without any
/// it is 1. Throws Error{missing_input}, or Error{data} naming the tensor that is incomplete, unknown or of a
/// second text encoder (SDXL).
LoraFile read_lora_file(const std::string& path);

/// Writes a file, or a folder if `path` does not end in .safetensors, atomically. The scale is multiplied
/// into `up`, and alpha = rank is stated: readers that overlook alpha get the same network. Throws Error{io},
/// and Error{data} for peft's folder with modules of both networks.
void write_lora_file(const LoraFile&, const std::string& path, LoraSpelling);

/// "down_blocks.0.attentions.0" of kohya's "down_blocks_0_attentions_0". Throws Error{data}, beginning with
/// `where`, for words that a UNet2DConditionModel does not have.
std::string module_of_kohya(const std::string& name, const std::string& where);
/// Likewise "text_model.encoder.layers.0.self_attn.q_proj" of "text_model_encoder_layers_0_self_attn_q_proj".
std::string text_module_of_kohya(const std::string& name, const std::string& where);

} // namespace scoreact
