#pragma once
/// Named tensors of a network and safetensors files. Reading is strict: every missing, unexpected or
/// misshapen tensor is named. Old spellings that hub files still carry are understood.
#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// All tensors of a safetensors file, on the host, in the file's dtypes, in memory of their own.
/// Throws Error{missing_input | data}.
std::map<std::string, at::Tensor> read_weights(const std::string& path);

/// Writes tensors (any device and layout) atomically, in their own dtypes. Throws Error{io}.
void write_weights(const std::string& path, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

/// Copies the file's tensors into `destination` (converted to its dtype and device; names of the former
/// AttentionBlock are translated). Throws Error{data} listing what is missing, unexpected or misshapen.
void load_weights(const NamedTensors& destination, const std::string& path);

/// query, key, value, proj_attn -> to_q, to_k, to_v, to_out.0: the names of diffusers' former AttentionBlock.
std::string modern_attention_name(const std::string& name);

/// `directory`/`stem`.safetensors. Throws Error{missing_input}, saying so if there is only a PyTorch pickle.
std::string weights_file(const std::string& directory, const std::string& stem);

} // namespace scoreact
