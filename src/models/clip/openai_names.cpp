#include "models/clip/openai_names.hpp"

#include "error/error.hpp"
#include "models/weights.hpp"

#include <caffe2/serialize/inline_container.h>
#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

namespace scoreact {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

const at::Tensor& tensor_in(const Tensors& tensors, const std::string& name, long axes,
                            const std::string& where) {
  const auto found = tensors.find(name);
  SCOREACT_REQUIRE(found != tensors.end(), ExitCode::data, "{}: expected a tensor {} of an OpenAI CLIP",
                   where, name);
  SCOREACT_REQUIRE(found->second.dim() == axes, ExitCode::data, "{}: {}: expected {} axes, found {}", where,
                   name, axes, found->second.dim());
  return found->second;
}

long layers_in(const Tensors& tensors, const std::string& prefix) {
  long layers = 0;
  while (tensors.contains(prefix + "transformer.resblocks." + std::to_string(layers) + ".ln_1.weight")) {
    ++layers;
  }
  return layers;
}

ClipEncoderConfig encoder_in(const Tensors& tensors, const std::string& prefix, long width,
                             const std::string& where) {
  constexpr long head_width = 64;
  ClipEncoderConfig config;
  config.hidden_size = width;
  config.intermediate_size =
      tensor_in(tensors, prefix + "transformer.resblocks.0.mlp.c_fc.weight", 2, where).size(0);
  config.layers = layers_in(tensors, prefix);
  config.heads = std::max(width / head_width, 1L);
  return config;
}

/// transformers' names for the rest of a name behind `resblocks.N.`.
const std::vector<std::pair<std::string, std::string>>& layer_names() {
  static const std::vector<std::pair<std::string, std::string>> names = {
      {"attn.out_proj.", "self_attn.out_proj."},
      {"ln_1.", "layer_norm1."},
      {"ln_2.", "layer_norm2."},
      {"mlp.c_fc.", "mlp.fc1."},
      {"mlp.c_proj.", "mlp.fc2."}};
  return names;
}

/// One tensor of a layer: `rest` stands behind `resblocks.`, e.g. 3.attn.in_proj_weight.
void add_layer_tensor(Tensors& out, const std::string& tower, const std::string& rest,
                      const at::Tensor& tensor, const std::string& whole_name) {
  const std::size_t dot = rest.find('.');
  const std::string layer = tower + "encoder.layers." + rest.substr(0, dot) + ".";
  const std::string part = dot == std::string::npos ? "" : rest.substr(dot + 1);
  for (const char* kind : {"weight", "bias"}) {
    if (part == std::string("attn.in_proj_") + kind && tensor.dim() > 0 && tensor.size(0) % 3 == 0) {
      const auto thirds = tensor.chunk(3, 0); // q, k, v
      out[layer + "self_attn.q_proj." + kind] = thirds[0];
      out[layer + "self_attn.k_proj." + kind] = thirds[1];
      out[layer + "self_attn.v_proj." + kind] = thirds[2];
      return;
    }
  }
  for (const auto& [openai, transformers] : layer_names()) {
    if (part.starts_with(openai)) {
      out[layer + transformers + part.substr(openai.size())] = tensor;
      return;
    }
  }
  out[whole_name] = tensor;
}

const std::map<std::string, std::string>& plain_names() {
  static const std::map<std::string, std::string> names = {
      {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
      {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
      {"ln_final.weight", "text_model.final_layer_norm.weight"},
      {"ln_final.bias", "text_model.final_layer_norm.bias"},
      {"visual.class_embedding", "vision_model.embeddings.class_embedding"},
      {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
      {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"},
      {"visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"},
      {"visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"},
      {"visual.ln_post.weight", "vision_model.post_layernorm.weight"},
      {"visual.ln_post.bias", "vision_model.post_layernorm.bias"},
      {"logit_scale", "logit_scale"}};
  return names;
}

/// TorchScript archives are zip files with a record constants.pkl.
bool is_torchscript(const std::string& path) {
  try {
    caffe2::serialize::PyTorchStreamReader reader(path);
    return reader.hasRecord("constants.pkl");
  } catch (const c10::Error&) { // not such a zip file
    return false;
  }
}

} // namespace

bool has_openai_clip_names(const Tensors& tensors) {
  return tensors.contains("visual.conv1.weight") && tensors.contains("token_embedding.weight");
}

ClipConfig openai_clip_config(const Tensors& tensors, const std::string& where) {
  const at::Tensor& patches = tensor_in(tensors, "visual.conv1.weight", 4, where);
  const at::Tensor& words = tensor_in(tensors, "token_embedding.weight", 2, where);
  const long patch_count = tensor_in(tensors, "visual.positional_embedding", 2, where).size(0) - 1;
  ClipConfig config;
  config.vision.encoder = encoder_in(tensors, "visual.", patches.size(0), where);
  config.vision.num_channels = patches.size(1);
  config.vision.patch_size = patches.size(2);
  config.vision.image_size =
      config.vision.patch_size * static_cast<long>(std::lround(std::sqrt(static_cast<double>(patch_count))));
  config.vision.projection_dim = tensor_in(tensors, "visual.proj", 2, where).size(1);
  config.text.encoder = encoder_in(tensors, "", words.size(1), where);
  config.text.vocab_size = words.size(0);
  config.text.max_position_embeddings = tensor_in(tensors, "positional_embedding", 2, where).size(0);
  config.text.eos_token_id = 2; // pools at the largest id, as OpenAI's code does
  config.text.projection_dim = tensor_in(tensors, "text_projection", 2, where).size(1);
  check_clip_vision_config(config.vision, where);
  check_clip_text_config(config.text, where);
  return config;
}

Tensors from_openai_clip(const Tensors& tensors) {
  Tensors out;
  for (const auto& [name, tensor] : tensors) {
    const std::string vision_layer = "visual.transformer.resblocks.", text_layer = "transformer.resblocks.";
    if (name == "input_resolution" || name == "context_length" || name == "vocab_size") {
      continue;
    }
    if (name == "visual.proj" || name == "text_projection") { // applied as x P there, as W x^T here
      out[name == "visual.proj" ? "visual_projection.weight" : "text_projection.weight"] = tensor.t();
    } else if (name.starts_with(vision_layer)) {
      add_layer_tensor(out, "vision_model.", name.substr(vision_layer.size()), tensor, name);
    } else if (name.starts_with(text_layer)) {
      add_layer_tensor(out, "text_model.", name.substr(text_layer.size()), tensor, name);
    } else {
      const auto plain = plain_names().find(name);
      out[plain == plain_names().end() ? name : plain->second] = tensor;
    }
  }
  return out;
}

Tensors read_openai_clip(const std::string& path) {
  SCOREACT_REQUIRE(std::filesystem::is_regular_file(path), ExitCode::missing_input,
                   "{}: cannot open this file", path);
  if (!is_torchscript(path)) {
    return read_weights(path);
  }
  Tensors tensors;
  try {
    const torch::jit::Module archive = torch::jit::load(path, c10::Device(c10::kCPU));
    for (const auto& item : archive.named_parameters()) {
      tensors.emplace(item.name, item.value);
    }
  } catch (const c10::Error& failure) {
    SCOREACT_FAIL(ExitCode::data, "{}: not a readable TorchScript archive: {}", path,
                  failure.what_without_backtrace());
  }
  return tensors;
}

} // namespace scoreact
