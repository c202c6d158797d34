#pragma once
/// Weights that are split over several files, as save_pretrained leaves large ones: an index names the file
/// of each tensor.
#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace scoreact {

/// Whether the name is one of an index: STEM.safetensors.index.json, or STEM.bin.index.fp16.json and the like
/// for a variant.
bool is_shard_index(const std::string& path);

/// All tensors of the shards that this index lists. Throws as read_model_weights (weights.hpp).
std::map<std::string, at::Tensor> read_shards(const std::string& index);

} // namespace scoreact
