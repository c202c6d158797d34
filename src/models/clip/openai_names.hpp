#pragma once
/// OpenAI's own CLIP checkpoints (ViT-L-14.pt, ...): the same networks as transformers' CLIPModel under other
/// names, with fused attention projections and with both output projections transposed.
#include "models/clip/clip_config.hpp"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace scoreact {

/// Whether these are the names of an OpenAI checkpoint with a vision transformer.
bool has_openai_clip_names(const std::map<std::string, at::Tensor>& tensors);

/// The configuration that the shapes tell; heads are 64 wide, activations quick_gelu. Throws Error{data} if a
/// tensor that tells a size is missing; `where` is the file.
ClipConfig openai_clip_config(const std::map<std::string, at::Tensor>& tensors, const std::string& where);

/// The tensors under transformers' names and layouts. The numbers input_resolution, context_length and
/// vocab_size that stand beside the weights are dropped; names that are not known stay, for the loader to
/// report.
std::map<std::string, at::Tensor> from_openai_clip(const std::map<std::string, at::Tensor>& tensors);

/// The tensors of an OpenAI checkpoint: the TorchScript archive that OpenAI published, or any weight file.
/// Throws Error{missing_input | data}.
std::map<std::string, at::Tensor> read_openai_clip(const std::string& path);

} // namespace scoreact
