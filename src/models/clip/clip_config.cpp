#include "models/clip/clip_config.hpp"

#include "error/error.hpp"
#include "models/json_file.hpp"

#include <utility>

namespace scoreact {
namespace {

using Json = nlohmann::json;

const Json& object_in(const Json& json, const std::string& key, const std::string& path) {
  static const Json empty = Json::object();
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) {
    return empty;
  }
  SCOREACT_REQUIRE(found->is_object(), ExitCode::data, "{}: {}: expected an object, found {}", path, key,
                   json_excerpt(*found));
  return *found;
}

/// A CLIPModel's file holds one object a tower, and old files a second one, `<tower>_config_dict`, whose
/// values win (transformers keeps that rule). A lone tower's file is the object itself.
Json tower_object(const Json& json, const std::string& tower, const std::string& path) {
  if (!json.contains(tower + "_config") && !json.contains(tower + "_config_dict")) {
    return json;
  }
  Json merged = object_in(json, tower + "_config", path);
  merged.update(object_in(json, tower + "_config_dict", path));
  if (json.contains("projection_dim")) {
    merged["projection_dim"] = json["projection_dim"];
  }
  return merged;
}

ClipEncoderConfig encoder_in(const Json& json, ClipEncoderConfig config, const std::string& path) {
  config.hidden_size = json_value(json, "hidden_size", config.hidden_size, path);
  config.intermediate_size = json_value(json, "intermediate_size", config.intermediate_size, path);
  config.layers = json_value(json, "num_hidden_layers", config.layers, path);
  config.heads = json_value(json, "num_attention_heads", config.heads, path);
  config.layer_norm_eps = json_value(json, "layer_norm_eps", config.layer_norm_eps, path);
  config.activation =
      transformer::activation_of(json_value<std::string>(json, "hidden_act", "quick_gelu", path), path);
  return config;
}

Json encoder_json(const ClipEncoderConfig& config) {
  return {{"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"layer_norm_eps", config.layer_norm_eps},
          {"attention_dropout", 0.0},
          {"hidden_act", config.activation == transformer::Activation::gelu ? "gelu" : "quick_gelu"}};
}

Json text_json(const ClipTextConfig& config) {
  Json json = encoder_json(config.encoder);
  json["model_type"] = "clip_text_model";
  json["vocab_size"] = config.vocab_size;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["projection_dim"] = config.projection_dim;
  json["bos_token_id"] = config.eos_token_id == 2 ? 0 : config.eos_token_id - 1;
  json["eos_token_id"] = config.eos_token_id;
  json["pad_token_id"] = 1;
  return json;
}

/// Generous bounds: what lies beyond is damage, and would ask for all memory.
void within(const std::string& where, const char* key, long value, long low, long high) {
  SCOREACT_REQUIRE(value >= low && value <= high, ExitCode::data, "{}: {} must lie in {} .. {}, found {}",
                   where, key, low, high, value);
}

void check_encoder(const ClipEncoderConfig& config, const std::string& where) {
  within(where, "hidden_size", config.hidden_size, 1, 65536);
  within(where, "intermediate_size", config.intermediate_size, 1, 4 * 65536);
  within(where, "num_hidden_layers", config.layers, 1, 1000);
  within(where, "num_attention_heads", config.heads, 1, 65536);
  SCOREACT_REQUIRE(config.hidden_size % config.heads == 0, ExitCode::data,
                   "{}: num_attention_heads {} does not divide hidden_size {}", where, config.heads,
                   config.hidden_size);
  SCOREACT_REQUIRE(config.layer_norm_eps > 0, ExitCode::data, "{}: layer_norm_eps must be positive, found {}",
                   where, config.layer_norm_eps);
}

} // namespace

void check_clip_text_config(const ClipTextConfig& config, const std::string& where) {
  check_encoder(config.encoder, where);
  within(where, "vocab_size", config.vocab_size, 1, 1L << 24);
  within(where, "max_position_embeddings", config.max_position_embeddings, 1, 1L << 20);
  within(where, "projection_dim", config.projection_dim, 1, 65536);
}

void check_clip_vision_config(const ClipVisionConfig& config, const std::string& where) {
  check_encoder(config.encoder, where);
  within(where, "num_channels", config.num_channels, 1, 64);
  within(where, "patch_size", config.patch_size, 1, 4096);
  within(where, "image_size", config.image_size, config.patch_size, 65536);
  within(where, "projection_dim", config.projection_dim, 1, 65536);
}

ClipTextConfig read_clip_text_config(const std::string& path) {
  const Json json = tower_object(read_json(path), "text", path);
  ClipTextConfig config;
  config.encoder = encoder_in(json, config.encoder, path);
  config.vocab_size = json_value(json, "vocab_size", config.vocab_size, path);
  config.max_position_embeddings =
      json_value(json, "max_position_embeddings", config.max_position_embeddings, path);
  config.eos_token_id = json_value(json, "eos_token_id", config.eos_token_id, path);
  config.projection_dim = json_value(json, "projection_dim", config.projection_dim, path);
  check_clip_text_config(config, path);
  return config;
}

ClipVisionConfig read_clip_vision_config(const std::string& path) {
  const Json json = tower_object(read_json(path), "vision", path);
  ClipVisionConfig config;
  config.encoder = encoder_in(json, config.encoder, path);
  config.num_channels = json_value(json, "num_channels", config.num_channels, path);
  config.image_size = json_value(json, "image_size", config.image_size, path);
  config.patch_size = json_value(json, "patch_size", config.patch_size, path);
  config.projection_dim = json_value(json, "projection_dim", config.projection_dim, path);
  check_clip_vision_config(config, path);
  return config;
}

ClipConfig read_clip_config(const std::string& path) {
  const Json json = read_json(path);
  SCOREACT_REQUIRE(json.contains("text_config") || json.contains("text_config_dict"), ExitCode::data,
                   "{}: expected a CLIPModel with text_config and vision_config", path);
  return {read_clip_text_config(path), read_clip_vision_config(path)};
}

void write_clip_text_config(const ClipTextConfig& config, const std::string& path) {
  Json json = text_json(config);
  json["architectures"] = Json::array({"CLIPTextModel"});
  write_json(path, json);
}

void write_clip_config(const ClipConfig& config, const std::string& path) {
  Json vision = encoder_json(config.vision.encoder);
  vision["model_type"] = "clip_vision_model";
  vision["num_channels"] = config.vision.num_channels;
  vision["image_size"] = config.vision.image_size;
  vision["patch_size"] = config.vision.patch_size;
  vision["projection_dim"] = config.vision.projection_dim;
  write_json(path, {{"architectures", Json::array({"CLIPModel"})},
                    {"model_type", "clip"},
                    {"projection_dim", config.text.projection_dim},
                    {"logit_scale_init_value", 2.6592},
                    {"text_config", text_json(config.text)},
                    {"vision_config", vision}});
}

} // namespace scoreact
