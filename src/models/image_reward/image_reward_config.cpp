#include "models/image_reward/image_reward_config.hpp"

#include "error/error.hpp"
#include "models/json_file.hpp"

#include <array>
#include <cmath>

namespace scoreact {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

const at::Tensor& tensor_in(const Tensors& tensors, const std::string& name, long axes,
                            const std::string& where) {
  const auto found = tensors.find(name);
  SCOREACT_REQUIRE(found != tensors.end(), ExitCode::data, "{}: expected a tensor {} of ImageReward", where,
                   name);
  SCOREACT_REQUIRE(found->second.dim() == axes, ExitCode::data, "{}: {}: expected {} axes, found {}", where,
                   name, axes, found->second.dim());
  return found->second;
}

} // namespace

BlipTextConfig read_med_config(const std::string& path) {
  const nlohmann::json json = read_json(path);
  BlipTextConfig config;
  config.width = json_value(json, "hidden_size", config.width, path);
  config.layers = json_value(json, "num_hidden_layers", config.layers, path);
  config.heads = json_value(json, "num_attention_heads", config.heads, path);
  config.mlp_width = json_value(json, "intermediate_size", config.mlp_width, path);
  config.vocab_size = json_value(json, "vocab_size", config.vocab_size, path);
  config.max_positions = json_value(json, "max_position_embeddings", config.max_positions, path);
  config.layer_norm_eps = json_value(json, "layer_norm_eps", config.layer_norm_eps, path);
  const auto activation = json_value<std::string>(json, "hidden_act", "gelu", path);
  SCOREACT_REQUIRE(activation == "gelu", ExitCode::data, "{}: hidden_act: expected \"gelu\", found \"{}\"",
                   path, activation);
  const std::array<std::pair<const char*, long>, 6> sizes = {
      {{"hidden_size", config.width},
       {"num_hidden_layers", config.layers},
       {"num_attention_heads", config.heads},
       {"intermediate_size", config.mlp_width},
       {"vocab_size", config.vocab_size},
       {"max_position_embeddings", config.max_positions}}};
  for (const auto& [key, size] :
       sizes) { // generous: what lies beyond is damage, and would ask for all memory
    SCOREACT_REQUIRE(size >= 1 && size <= 1 << 20, ExitCode::data, "{}: {} must lie in 1 .. {}, found {}",
                     path, key, 1 << 20, size);
  }
  SCOREACT_REQUIRE(config.width % config.heads == 0, ExitCode::data,
                   "{}: num_attention_heads {} does not divide hidden_size {}", path, config.heads,
                   config.width);
  SCOREACT_REQUIRE(config.layer_norm_eps > 0, ExitCode::data, "{}: layer_norm_eps must be positive, found {}",
                   path, config.layer_norm_eps);
  return config;
}

void write_med_config(const BlipTextConfig& config, const std::string& path) {
  write_json(path, {{"architectures", nlohmann::json::array({"BertModel"})},
                    {"model_type", "bert"},
                    {"hidden_act", "gelu"},
                    {"hidden_size", config.width},
                    {"num_hidden_layers", config.layers},
                    {"num_attention_heads", config.heads},
                    {"intermediate_size", config.mlp_width},
                    {"vocab_size", config.vocab_size},
                    {"max_position_embeddings", config.max_positions},
                    {"layer_norm_eps", config.layer_norm_eps},
                    {"attention_probs_dropout_prob", 0.1},
                    {"hidden_dropout_prob", 0.1},
                    {"initializer_range", 0.02},
                    {"pad_token_id", 0},
                    {"type_vocab_size", 2},
                    {"encoder_width", 768},
                    {"add_cross_attention", true}});
}

ImageRewardConfig image_reward_config(const BlipTextConfig& text, const Tensors& tensors,
                                      const std::string& where) {
  const std::string vision = "blip.visual_encoder.";
  const at::Tensor& patches = tensor_in(tensors, vision + "patch_embed.proj.weight", 4, where);
  const at::Tensor& positions = tensor_in(tensors, vision + "pos_embed", 3, where);
  ImageRewardConfig config;
  config.text = text;
  config.vision.width = patches.size(0);
  config.vision.patch_size = patches.size(2);
  config.vision.heads = std::max(config.vision.width / 64, 1L);
  const long grid = std::lround(std::sqrt(static_cast<double>(std::max(positions.size(1) - 1, 1L))));
  config.vision.image_size = grid * config.vision.patch_size;
  config.vision.mlp_width = tensor_in(tensors, vision + "blocks.0.mlp.fc1.weight", 2, where).size(0);
  SCOREACT_REQUIRE(config.vision.width > 0 && config.vision.width % config.vision.heads == 0 &&
                       config.vision.patch_size > 0,
                   ExitCode::data,
                   "{}: a vision tower of width {} cannot be split in {} heads of 64, or has empty patches",
                   where, config.vision.width, config.vision.heads);
  config.vision.depth = 0;
  while (tensors.contains(vision + "blocks." + std::to_string(config.vision.depth) + ".norm1.weight")) {
    ++config.vision.depth;
  }
  config.joint_width = tensor_in(tensors, "blip.vision_proj.weight", 2, where).size(0);
  config.head.clear();
  for (const int layer : {0, 2, 4, 6, 7}) {
    const std::string name = "mlp.layers." + std::to_string(layer) + ".weight";
    config.head.push_back(tensor_in(tensors, name, 2, where).size(0));
  }
  return config;
}

} // namespace scoreact
