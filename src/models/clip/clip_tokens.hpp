#pragma once
/// Texts as the input of a CLIP text encoder.
#include "text/clip_tokenizer.hpp"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace scoreact {

/// [texts, length] int64 on the host: each text between its start and end tokens, cut or padded to `length`.
at::Tensor clip_tokens(const ClipTokenizer&, const std::vector<std::string>& texts, long length);

} // namespace scoreact
