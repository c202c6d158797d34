#pragma once
/// scoreact forward for transformers' CLIP classes.
#include "models/forward_pass.hpp"

namespace scoreact {

/// CLIPTextModel: input_ids, attention_mask -> last_hidden_state, pooler_output. Throws Error{data}.
NamedTensors forward_clip_text(const std::string& directory, ForwardInputs&, c10::Device);
/// CLIPVisionModelWithProjection: pixel_values -> image_embeds. Throws Error{data}.
NamedTensors forward_clip_vision(const std::string& directory, ForwardInputs&, c10::Device);
/// CLIPModel: with input_ids and pixel_values its own outputs, logits_per_image, logits_per_text, text_embeds
/// and image_embeds, the last two of norm 1. With one of the inputs alone what the tower's own class gives
/// for it: those above, and text_embeds as CLIPTextModelWithProjection (not of norm 1). Throws Error{data}.
NamedTensors forward_clip(const std::string& directory, ForwardInputs&, c10::Device);

} // namespace scoreact
