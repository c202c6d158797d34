#include "models/pixel_unet/unet_config.hpp"

#include "error/error.hpp"
#include "models/json_file.hpp"

#include <algorithm>

namespace scoreact {
namespace {

using Json = nlohmann::json;

/// Refuses a value other than the one that is implemented; a missing key or null counts as that one.
void require_only(const Json& json, const char* key, const char* supported, const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) {
    return;
  }
  SCOREACT_REQUIRE(found->is_string() && found->get<std::string>() == supported, ExitCode::data,
                   "{}: {} = {} is not supported; scoreact's UNet2DModel has \"{}\"", path, key,
                   json_excerpt(*found), supported);
}

} // namespace

long UnetConfig::groups() const {
  return norm_num_groups.value_or(std::min(block_out_channels.front() / 4, 32L));
}

void check_unet_config(const UnetConfig& config, const std::string& origin) {
  const std::size_t levels = config.block_out_channels.size();
  const auto within = [&](const char* key, long value, long low, long high) {
    SCOREACT_REQUIRE(value >= low && value <= high, ExitCode::data, "{}: {} must lie in {} .. {}, found {}",
                     origin, key, low, high, value);
  };
  SCOREACT_REQUIRE(levels > 0 && config.down_block_types.size() == levels &&
                       config.up_block_types.size() == levels,
                   ExitCode::data,
                   "{}: block_out_channels, down_block_types and up_block_types must have the same length; "
                   "they have {}, {} "
                   "and {} entries",
                   origin, levels, config.down_block_types.size(), config.up_block_types.size());
  for (const std::string& type : config.down_block_types) {
    SCOREACT_REQUIRE(type == "DownBlock2D" || type == "AttnDownBlock2D", ExitCode::data,
                     "{}: down_block_types: expected DownBlock2D or AttnDownBlock2D, found \"{}\"", origin,
                     type);
  }
  for (const std::string& type : config.up_block_types) {
    SCOREACT_REQUIRE(type == "UpBlock2D" || type == "AttnUpBlock2D", ExitCode::data,
                     "{}: up_block_types: expected UpBlock2D or AttnUpBlock2D, found \"{}\"", origin, type);
  }
  SCOREACT_REQUIRE(
      config.in_channels > 0 && config.out_channels == config.in_channels, ExitCode::data,
      "{}: out_channels must equal in_channels, found {} and {} (learned variances are not supported)",
      origin, config.out_channels, config.in_channels);
  // generous bounds: what lies beyond is damage, and would ask for all memory
  constexpr long most = 65536;
  within("number of levels", static_cast<long>(levels), 1, 16);
  within("in_channels", config.in_channels, 1, most);
  within("layers_per_block", config.layers_per_block, 1, 100);
  for (const long channels : config.block_out_channels) {
    within("block_out_channels", channels, 1, most);
  }
  within("sample_size", config.sample_height, 1, most);
  within("sample_size", config.sample_width, 1, most);
  within("time_embedding_dim", config.time_width(), 1, 4 * most);
  within("freq_shift", config.freq_shift, 0, std::max(config.block_out_channels.front() / 2 - 1, 0L));
  within("num_class_embeds", config.num_class_embeds.value_or(2), 2,
         16 * most); // classes and, last, the null condition
  within("attn_norm_num_groups", config.attn_norm_num_groups.value_or(1), 1, most);
  SCOREACT_REQUIRE(config.norm_eps > 0 && config.mid_block_scale_factor > 0, ExitCode::data,
                   "{}: norm_eps and mid_block_scale_factor must be positive, found {} and {}", origin,
                   config.norm_eps, config.mid_block_scale_factor);
  SCOREACT_REQUIRE(config.groups() > 0, ExitCode::data, "{}: norm_num_groups must be at least 1", origin);
  for (const long channels : config.block_out_channels) {
    SCOREACT_REQUIRE(channels > 0 && channels % config.groups() == 0, ExitCode::data,
                     "{}: block_out_channels must be multiples of norm_num_groups = {}, found {}", origin,
                     config.groups(), channels);
    if (config.attention_head_dim) {
      SCOREACT_REQUIRE(*config.attention_head_dim > 0, ExitCode::data,
                       "{}: attention_head_dim must be positive or null, found {}", origin,
                       *config.attention_head_dim);
    }
  }
  const long factor = 1L << (levels - 1);
  SCOREACT_REQUIRE(config.sample_height % factor == 0 && config.sample_width % factor == 0, ExitCode::data,
                   "{}: sample_size {} x {} must be a multiple of {} for {} levels", origin,
                   config.sample_height, config.sample_width, factor, levels);
}

UnetConfig read_unet_config(const std::string& path) {
  const Json json = read_json(path);
  const std::string class_name = json_value<std::string>(json, "_class_name", "", path);
  SCOREACT_REQUIRE(class_name == "UNet2DModel", ExitCode::data,
                   "{}: expected \"_class_name\": \"UNet2DModel\", found \"{}\"", path, class_name);
  UnetConfig config;
  const auto sample_size = json.find("sample_size");
  if (sample_size != json.end() && sample_size->is_array()) {
    const auto size = json_value<std::vector<long>>(json, "sample_size", {}, path);
    SCOREACT_REQUIRE(size.size() == 2, ExitCode::data,
                     "{}: sample_size: expected a number or [height, width], found {}", path,
                     json_excerpt(*sample_size));
    config.sample_height = size[0];
    config.sample_width = size[1];
  } else {
    config.sample_height = config.sample_width = json_value<long>(json, "sample_size", 32, path);
  }
  config.in_channels = json_value(json, "in_channels", config.in_channels, path);
  config.out_channels = json_value(json, "out_channels", config.out_channels, path);
  config.center_input_sample = json_value(json, "center_input_sample", config.center_input_sample, path);
  config.time_embedding_dim = json_optional(json, "time_embedding_dim", config.time_embedding_dim, path);
  config.freq_shift = json_value(json, "freq_shift", config.freq_shift, path);
  config.flip_sin_to_cos = json_value(json, "flip_sin_to_cos", config.flip_sin_to_cos, path);
  config.down_block_types = json_value(json, "down_block_types", config.down_block_types, path);
  config.up_block_types = json_value(json, "up_block_types", config.up_block_types, path);
  const auto mid = json.find("mid_block_type");
  config.mid_block = mid == json.end() || !mid->is_null();
  config.block_out_channels = json_value(json, "block_out_channels", config.block_out_channels, path);
  config.layers_per_block = json_value(json, "layers_per_block", config.layers_per_block, path);
  config.mid_block_scale_factor =
      json_value(json, "mid_block_scale_factor", config.mid_block_scale_factor, path);
  config.downsample_padding = json_value(json, "downsample_padding", config.downsample_padding, path);
  config.attention_head_dim = json_optional(json, "attention_head_dim", config.attention_head_dim, path);
  config.norm_num_groups = json_optional(json, "norm_num_groups", config.norm_num_groups, path);
  config.attn_norm_num_groups =
      json_optional(json, "attn_norm_num_groups", config.attn_norm_num_groups, path);
  config.norm_eps = json_value(json, "norm_eps", config.norm_eps, path);
  const auto shift = json_value<std::string>(json, "resnet_time_scale_shift", "default", path);
  SCOREACT_REQUIRE(shift == "default" || shift == "scale_shift", ExitCode::data,
                   "{}: resnet_time_scale_shift: expected \"default\" or \"scale_shift\", found \"{}\"", path,
                   shift);
  config.scale_shift = shift == "scale_shift";
  config.add_attention = json_value(json, "add_attention", config.add_attention, path);
  config.num_class_embeds = json_optional(json, "num_class_embeds", config.num_class_embeds, path);
  SCOREACT_REQUIRE(config.downsample_padding == 0 || config.downsample_padding == 1, ExitCode::data,
                   "{}: downsample_padding: expected 0 or 1, found {}", path, config.downsample_padding);
  SCOREACT_REQUIRE(
      json_value(json, "dropout", 0.0, path) == 0.0, ExitCode::data,
      "{}: dropout other than 0 is not supported (a policy must be the same in rollout and update)", path);
  const auto class_embed = json.find("class_embed_type");
  SCOREACT_REQUIRE(class_embed == json.end() || class_embed->is_null(), ExitCode::data,
                   "{}: class_embed_type {} is not supported; expected null", path,
                   json_excerpt(*class_embed));
  require_only(json, "time_embedding_type", "positional", path);
  require_only(json, "mid_block_type", "UNetMidBlock2D", path);
  require_only(json, "downsample_type", "conv", path);
  require_only(json, "upsample_type", "conv", path);
  const auto act = json_value<std::string>(json, "act_fn", "silu", path);
  SCOREACT_REQUIRE(act == "silu" || act == "swish", ExitCode::data,
                   "{}: act_fn: expected \"silu\", found \"{}\"", path, act);
  check_unet_config(config, path);
  return config;
}

void write_unet_config(const UnetConfig& config, const std::string& path) {
  Json json;
  const auto set_optional = [&json](const char* key, const std::optional<long>& value) {
    json[key] = value ? Json(*value) : Json(nullptr);
  };
  json["_class_name"] = "UNet2DModel";
  json["_diffusers_version"] = "0.30.0";
  if (config.sample_height == config.sample_width) {
    json["sample_size"] = config.sample_height;
  } else {
    json["sample_size"] = {config.sample_height, config.sample_width};
  }
  json["in_channels"] = config.in_channels;
  json["out_channels"] = config.out_channels;
  json["center_input_sample"] = config.center_input_sample;
  json["time_embedding_type"] = "positional";
  set_optional("time_embedding_dim", config.time_embedding_dim);
  json["freq_shift"] = config.freq_shift;
  json["flip_sin_to_cos"] = config.flip_sin_to_cos;
  json["down_block_types"] = config.down_block_types;
  json["mid_block_type"] = config.mid_block ? Json("UNetMidBlock2D") : Json(nullptr);
  json["up_block_types"] = config.up_block_types;
  json["block_out_channels"] = config.block_out_channels;
  json["layers_per_block"] = config.layers_per_block;
  json["mid_block_scale_factor"] = config.mid_block_scale_factor;
  json["downsample_padding"] = config.downsample_padding;
  json["downsample_type"] = "conv";
  json["upsample_type"] = "conv";
  json["dropout"] = 0.0;
  json["act_fn"] = "silu";
  set_optional("attention_head_dim", config.attention_head_dim);
  set_optional("norm_num_groups", config.norm_num_groups);
  set_optional("attn_norm_num_groups", config.attn_norm_num_groups);
  json["norm_eps"] = config.norm_eps;
  json["resnet_time_scale_shift"] = config.scale_shift ? "scale_shift" : "default";
  json["add_attention"] = config.add_attention;
  json["class_embed_type"] = nullptr;
  set_optional("num_class_embeds", config.num_class_embeds);
  json["num_train_timesteps"] = nullptr;
  write_json(path, json);
}

} // namespace scoreact
