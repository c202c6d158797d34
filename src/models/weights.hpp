#pragma once
/// Named tensors of a network and the files that hold them. Loading is strict: every missing, unexpected or
/// misshapen tensor is named. Old spellings that hub files still carry are understood. Layout of model
/// folders: docs/formats.md.
#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// All tensors of a safetensors file or of a state dict that torch.save wrote (.bin, .pt, .pth), told apart
/// by their content; on the host, in the file's dtypes. They are private views of the file's pages: nothing
/// is copied, and what is written to them stays in memory. Throws Error{missing_input | data}.
std::map<std::string, at::Tensor> read_weights(const std::string& path);

/// The file of one network's weights in `directory`, the first of these that is there: STEM.safetensors;
/// STEM.safetensors.index.json, which lists shards; their variants .fp16, .non_ema; the same in torch.save's
/// form, STEM.bin (pytorch_model.bin where STEM is `model`). Throws Error{missing_input} naming what was
/// looked for.
std::string model_weight_file(const std::string& directory, const std::string& stem);

/// All tensors of this file, or of the shards that it lists. Throws as read_weights, Error{data} for an index
/// that leads elsewhere, and Error{data} for one that stands in two shards or
/// that the index names and its shard lacks.
std::map<std::string, at::Tensor> read_model_weights(const std::string& directory, const std::string& stem);

/// Writes tensors (any device and layout) atomically, in their own dtypes. Throws Error{io}.
void write_weights(const std::string& path, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

/// Copies `found` into `destination` (converted to its dtype and device; names of the former AttentionBlock
/// are translated). `where` begins the message. Throws Error{data} listing what is missing, unexpected or
/// misshapen.
void load_tensors(const NamedTensors& destination, std::map<std::string, at::Tensor>&& found,
                  const std::string& where);
/// The same from a file.
void load_weights(const NamedTensors& destination, const std::string& path);

/// query, key, value, proj_attn -> to_q, to_k, to_v, to_out.0: the names of diffusers' former AttentionBlock.
std::string modern_attention_name(const std::string& name);

} // namespace scoreact
