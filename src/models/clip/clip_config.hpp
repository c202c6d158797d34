#pragma once
/// config.json of CLIP models as transformers writes it. Missing keys and null mean the class's defaults;
/// keys that are not known are ignored.
#include "models/transformer/layers.hpp"

#include <string>

namespace scoreact {

/// One tower's transformer.
struct ClipEncoderConfig {
  long hidden_size = 512, intermediate_size = 2048, layers = 12, heads = 8;
  transformer::Activation activation = transformer::Activation::quick_gelu;
  double layer_norm_eps = 1e-5;
};

struct ClipTextConfig {
  ClipEncoderConfig encoder;
  long vocab_size = 49408, max_position_embeddings = 77;
  /// 2 stands in old files by mistake; pooling then takes the largest id.
  long eos_token_id = 49407;
  long projection_dim = 512;
};

struct ClipVisionConfig {
  ClipEncoderConfig encoder = {.hidden_size = 768, .intermediate_size = 3072, .layers = 12, .heads = 12};
  long num_channels = 3, image_size = 224, patch_size = 32;
  long projection_dim = 512;
};

struct ClipConfig {
  ClipTextConfig text;
  ClipVisionConfig vision;
};

/// Reads a text tower's file (CLIPTextModel, CLIPTextModelWithProjection) or the text half of a CLIPModel's.
/// Throws Error{missing_input | data}, naming file and key.
ClipTextConfig read_clip_text_config(const std::string& path);
/// The same for CLIPVisionModelWithProjection or the vision half of a CLIPModel's.
ClipVisionConfig read_clip_vision_config(const std::string& path);
/// Reads the file of a CLIPModel. Throws Error{missing_input | data}.
ClipConfig read_clip_config(const std::string& path);

/// Write what the readers above read and transformers loads. Throw Error{io}.
void write_clip_text_config(const ClipTextConfig&, const std::string& path);
void write_clip_config(const ClipConfig&, const std::string& path);

/// Throws Error{data} if the numbers cannot belong to a network; `where` is the file.
void check_clip_text_config(const ClipTextConfig&, const std::string& where);
void check_clip_vision_config(const ClipVisionConfig&, const std::string& where);

} // namespace scoreact
