#pragma once
/// Files of LoRA weights for a U-Net, in the spellings that are in use. A module is named as in diffusers,
/// e.g. M = down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q:
///
/// | spelling  | tensors                                                                               |
/// |-----------|---------------------------------------------------------------------------------------|
/// | diffusers | unet.M.lora.down.weight, unet.M.lora.up.weight                                        |
/// | peft      | unet.M.lora_A.weight, unet.M.lora_B.weight; in a folder adapter_config.json and, in   |
/// |           | adapter_model.safetensors, base_model.model.M.lora_A.weight, ...lora_B.weight         |
/// | kohya     | lora_unet_M.lora_down.weight, .lora_up.weight, .alpha, with _ for the dots of M       |
///
/// Read, but not written: diffusers' former attention processors (....attn1.processor.to_q_lora.down.weight).
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace scoreact {

enum class LoraSpelling { diffusers, peft, kohya };
/// Throws Error{usage} for another name.
LoraSpelling lora_spelling(const std::string& name);

struct LoraModule {
  std::string name; ///< of the adapted linear map, M above
  at::Tensor down;  ///< [rank, in]
  at::Tensor up;    ///< [out, rank]
  double scale = 1; ///< alpha / rank: y = W x + scale up down x

  long rank() const { return down.size(0); }
};

struct LoraFile {
  std::vector<LoraModule> modules; ///< in the order of their names
  /// What `target_modules` in the metadata shall say: ends of module names. Empty: the modules' full names.
  std::vector<std::string> targets;
};

/// Reads a file of any spelling, or a folder with one: pytorch_lora_weights.safetensors, or
/// adapter_model.safetensors with adapter_config.json. The scale is alpha / rank with alpha from the tensors
/// (kohya), the file's metadata (diffusers) or adapter_config.json (peft); without any it is 1. Throws
/// Error{missing_input}, or Error{data} naming the tensor that is incomplete, unknown or for a text encoder.
LoraFile read_lora_file(const std::string& path);

/// Writes a file, or a folder if `path` does not end in .safetensors, atomically. The scale is multiplied
/// into `up`, and alpha = rank is stated: readers that overlook alpha get the same network. Throws Error{io}.
void write_lora_file(const LoraFile&, const std::string& path, LoraSpelling);

/// "down_blocks.0.attentions.0" of kohya's "down_blocks_0_attentions_0". Throws Error{data}, beginning with
/// `where`, for words that a UNet2DConditionModel does not have.
std::string module_of_kohya(const std::string& name, const std::string& where);

} // namespace scoreact
