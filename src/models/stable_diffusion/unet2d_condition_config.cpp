#include "models/stable_diffusion/unet2d_condition_config.hpp"

#include "models/json_file.hpp"

#include <algorithm>
#include <initializer_list>

namespace scoreact {
namespace {

using Json = nlohmann::json;

/// A config.json with its name, for errors.
struct ConfigFile {
  Json json;
  std::string path;

  template <class T> T value(const char* key, T fallback) const {
    return json_value(json, key, std::move(fallback), path);
  }
  /// json[key], one number for all levels or a list of one a level.
  template <class T> std::vector<T> per_level(const char* key, T fallback, std::size_t levels) const {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_array()) {
      return std::vector<T>(levels, value(key, fallback));
    }
    auto values = value(key, std::vector<T>{});
    SCOREACT_REQUIRE(values.size() == levels, ExitCode::data,
                     "{}: {}: expected a number or one for each of {} levels, found {}", path, key, levels,
                     json_excerpt(*found));
    return values;
  }
  /// Refuses what is not implemented: anything but null and `supported`.
  void require_only(const char* key, const Json& supported) const {
    const auto found = json.find(key);
    SCOREACT_REQUIRE(found == json.end() || found->is_null() || *found == supported, ExitCode::data,
                     "{}: {} = {} is not supported; scoreact's UNet2DConditionModel has {}", path, key,
                     json_excerpt(*found), supported.dump());
  }
};

void read_sample_size(const ConfigFile& file, Unet2dConditionConfig& config) {
  const auto found = file.json.find("sample_size");
  if (found == file.json.end() || !found->is_array()) {
    config.sample_height = config.sample_width = file.value("sample_size", 64L);
    return;
  }
  const auto size = file.value("sample_size", std::vector<long>{});
  SCOREACT_REQUIRE(size.size() == 2, ExitCode::data,
                   "{}: sample_size: expected a number or [height, width], found {}", file.path,
                   json_excerpt(*found));
  config.sample_height = size[0];
  config.sample_width = size[1];
}

/// Whether each block has attention: `type` is "CrossAttn<plain>" or `plain`.
std::vector<bool> read_block_types(const ConfigFile& file, const char* key, const std::string& plain,
                                   const std::vector<std::string>& fallback, std::size_t levels) {
  const auto types = file.value(key, fallback);
  SCOREACT_REQUIRE(types.size() == levels, ExitCode::data,
                   "{}: {}: expected one for each of the {} block_out_channels, found {}", file.path, key,
                   levels, types.size());
  std::vector<bool> attention;
  for (const std::string& type : types) {
    SCOREACT_REQUIRE(type == plain || type == "CrossAttn" + plain, ExitCode::data,
                     "{}: {}: expected {} or CrossAttn{}, found \"{}\"", file.path, key, plain, plain, type);
    attention.push_back(type != plain);
  }
  return attention;
}

void read_levels(const ConfigFile& file, Unet2dConditionConfig& config) {
  const auto channels = file.value("block_out_channels", std::vector<long>{320, 640, 1280, 1280});
  const std::size_t levels = channels.size();
  SCOREACT_REQUIRE(levels >= 1 && levels <= 16, ExitCode::data,
                   "{}: block_out_channels: expected 1 to 16 levels, found {}", file.path, levels);
  const auto layers = file.per_level("layers_per_block", 2L, levels);
  const auto heads_found = file.json.find("attention_head_dim");
  const bool one_head = heads_found != file.json.end() && heads_found->is_null(); // as in old UNet2DModels
  const auto heads = file.per_level("attention_head_dim", one_head ? 1L : 8L, levels);
  const auto transformer_layers = file.per_level("transformer_layers_per_block", 1L, levels);
  const auto widths = file.per_level("cross_attention_dim", 1280L, levels);
  const auto only = file.json.find("only_cross_attention");
  const bool listed = only != file.json.end() && only->is_array();
  const auto context_only = file.per_level<bool>("only_cross_attention", false, levels);
  const std::string down = "DownBlock2D", up = "UpBlock2D";
  const auto down_attention =
      read_block_types(file, "down_block_types", down,
                       {"CrossAttn" + down, "CrossAttn" + down, "CrossAttn" + down, down}, levels);
  const auto up_attention = read_block_types(
      file, "up_block_types", up, {up, "CrossAttn" + up, "CrossAttn" + up, "CrossAttn" + up}, levels);
  config.levels.clear();
  for (std::size_t i = 0; i < levels; ++i) {
    config.levels.push_back({channels[i], layers[i], heads[i], transformer_layers[i], widths[i],
                             context_only[i], down_attention[i], up_attention[levels - 1 - i]});
  }
  config.mid_block_context_only =
      file.value("mid_block_only_cross_attention", listed ? false : bool(context_only[0]));
}

} // namespace

void check_unet2d_condition_config(const Unet2dConditionConfig& config, const std::string& path) {
  // generous bounds: what lies beyond is damage, and would ask for all memory
  const auto within = [&](const char* key, long value, long low, long high) {
    SCOREACT_REQUIRE(value >= low && value <= high, ExitCode::data, "{}: {} must lie in {} .. {}, found {}",
                     path, key, low, high, value);
  };
  constexpr long most = 65536;
  within("sample_size", config.sample_height, 1, most);
  within("sample_size", config.sample_width, 1, most);
  within("in_channels", config.in_channels, 1, most);
  within("out_channels", config.out_channels, 1, most);
  within("norm_num_groups", config.norm_num_groups, 1, most);
  within("downsample_padding", config.downsample_padding, 0, 1);
  within("time_embedding_dim", config.time_width(), 1, 4 * most);
  within("freq_shift", config.freq_shift, 0, std::max(config.levels.front().channels / 2 - 1, 0L));
  for (const auto& [key, kernel] : {std::pair{"conv_in_kernel", config.conv_in_kernel},
                                    std::pair{"conv_out_kernel", config.conv_out_kernel}}) {
    within(key, kernel, 1, 31);
    SCOREACT_REQUIRE(kernel % 2 == 1, ExitCode::data, "{}: {} must be odd, found {}", path, key, kernel);
  }
  SCOREACT_REQUIRE(config.norm_eps > 0 && config.mid_block_scale_factor > 0, ExitCode::data,
                   "{}: norm_eps and mid_block_scale_factor must be positive, found {} and {}", path,
                   config.norm_eps, config.mid_block_scale_factor);
  for (const UnetLevel& level : config.levels) {
    within("block_out_channels", level.channels, 1, most);
    within("layers_per_block", level.layers, 1, 100);
    within("attention_head_dim", level.heads, 1, most);
    within("transformer_layers_per_block", level.transformer_layers, 1, 100);
    within("cross_attention_dim", level.context_width, 1, most);
    SCOREACT_REQUIRE(level.channels % config.norm_num_groups == 0, ExitCode::data,
                     "{}: block_out_channels must be multiples of norm_num_groups = {}, found {}", path,
                     config.norm_num_groups, level.channels);
    SCOREACT_REQUIRE(
        level.channels % level.heads == 0 || !(level.attention_down || level.attention_up), ExitCode::data,
        "{}: attention_head_dim = {} (the number of heads) does not divide a block of {} channels", path,
        level.heads, level.channels);
  }
  const UnetLevel& deepest = config.levels.back();
  SCOREACT_REQUIRE(
      !config.mid_block || deepest.channels % deepest.heads == 0, ExitCode::data,
      "{}: attention_head_dim = {} (the number of heads) does not divide the middle's {} channels", path,
      deepest.heads, deepest.channels);
}

Unet2dConditionConfig read_unet2d_condition_config(const std::string& path) {
  const ConfigFile file{read_json(path), path};
  const auto class_name = file.value<std::string>("_class_name", "");
  SCOREACT_REQUIRE(class_name == "UNet2DConditionModel", ExitCode::data,
                   "{}: expected \"_class_name\": \"UNet2DConditionModel\", found \"{}\"{}", path, class_name,
                   class_name.starts_with("Flax") ? " (weights of Flax are not supported)" : "");
  for (const char* key :
       {"class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim",
        "encoder_hid_dim_type", "num_attention_heads", "time_cond_proj_dim", "time_embedding_act_fn",
        "timestep_post_act", "cross_attention_norm", "reverse_transformer_layers_per_block"}) {
    file.require_only(key, nullptr);
  }
  for (const char* key : {"dual_cross_attention", "resnet_skip_time_act", "class_embeddings_concat"}) {
    file.require_only(key, false);
  }
  file.require_only("dropout", 0.0); // a policy must be the same in rollout and update
  file.require_only("resnet_out_scale_factor", 1.0);
  file.require_only("time_embedding_type", "positional");
  file.require_only("attention_type", "default");
  const auto act = file.value<std::string>("act_fn", "silu");
  SCOREACT_REQUIRE(act == "silu" || act == "swish", ExitCode::data,
                   "{}: act_fn: expected \"silu\", found \"{}\"", path, act);
  const auto shift = file.value<std::string>("resnet_time_scale_shift", "default");
  SCOREACT_REQUIRE(shift == "default" || shift == "scale_shift", ExitCode::data,
                   "{}: resnet_time_scale_shift: expected \"default\" or \"scale_shift\", found \"{}\"", path,
                   shift);

  Unet2dConditionConfig config;
  read_sample_size(file, config);
  read_levels(file, config);
  const auto mid = file.json.find("mid_block_type");
  config.mid_block = mid == file.json.end() || !mid->is_null();
  file.require_only("mid_block_type", "UNetMidBlock2DCrossAttn");
  config.in_channels = file.value("in_channels", config.in_channels);
  config.out_channels = file.value("out_channels", config.out_channels);
  config.center_input_sample = file.value("center_input_sample", config.center_input_sample);
  config.flip_sin_to_cos = file.value("flip_sin_to_cos", config.flip_sin_to_cos);
  config.freq_shift = file.value("freq_shift", config.freq_shift);
  config.downsample_padding = file.value("downsample_padding", config.downsample_padding);
  config.mid_block_scale_factor = file.value("mid_block_scale_factor", config.mid_block_scale_factor);
  config.norm_num_groups = file.value("norm_num_groups", config.norm_num_groups);
  config.norm_eps = file.value("norm_eps", config.norm_eps);
  config.use_linear_projection = file.value("use_linear_projection", config.use_linear_projection);
  config.scale_shift = shift == "scale_shift";
  config.time_embedding_dim = json_optional(file.json, "time_embedding_dim", config.time_embedding_dim, path);
  config.conv_in_kernel = file.value("conv_in_kernel", config.conv_in_kernel);
  config.conv_out_kernel = file.value("conv_out_kernel", config.conv_out_kernel);
  check_unet2d_condition_config(config, path);
  return config;
}

void write_unet2d_condition_config(const Unet2dConditionConfig& config, const std::string& path) {
  using nlohmann::json;
  const auto each = [&](auto value) { // a list, one entry a level
    json list = json::array();
    for (const UnetLevel& level : config.levels)
      list.push_back(value(level));
    return list;
  };
  json up = json::array(); // from the deepest level upwards
  for (auto level = config.levels.rbegin(); level != config.levels.rend(); ++level)
    up.push_back(level->attention_up ? "CrossAttnUpBlock2D" : "UpBlock2D");
  const auto one_if_equal = [](const json& list) { // diffusers writes a single value where it can
    for (const json& entry : list)
      if (entry != list.front())
        return list;
    return list.front();
  };
  json file;
  file["_class_name"] = "UNet2DConditionModel";
  file["_diffusers_version"] = "0.30.0";
  file["act_fn"] = "silu";
  file["sample_size"] = config.sample_height == config.sample_width
                            ? json(config.sample_height)
                            : json::array({config.sample_height, config.sample_width});
  file["in_channels"] = config.in_channels;
  file["out_channels"] = config.out_channels;
  file["center_input_sample"] = config.center_input_sample;
  file["flip_sin_to_cos"] = config.flip_sin_to_cos;
  file["freq_shift"] = config.freq_shift;
  file["block_out_channels"] = each([](const UnetLevel& level) { return level.channels; });
  file["layers_per_block"] = one_if_equal(each([](const UnetLevel& level) { return level.layers; }));
  file["attention_head_dim"] = one_if_equal(each([](const UnetLevel& level) { return level.heads; }));
  file["transformer_layers_per_block"] =
      one_if_equal(each([](const UnetLevel& level) { return level.transformer_layers; }));
  file["cross_attention_dim"] =
      one_if_equal(each([](const UnetLevel& level) { return level.context_width; }));
  file["only_cross_attention"] =
      one_if_equal(each([](const UnetLevel& level) { return level.context_only; }));
  file["mid_block_only_cross_attention"] = config.mid_block_context_only;
  file["down_block_types"] = each(
      [](const UnetLevel& level) { return level.attention_down ? "CrossAttnDownBlock2D" : "DownBlock2D"; });
  file["up_block_types"] = up;
  file["mid_block_type"] = config.mid_block ? json("UNetMidBlock2DCrossAttn") : json(nullptr);
  file["mid_block_scale_factor"] = config.mid_block_scale_factor;
  file["downsample_padding"] = config.downsample_padding;
  file["norm_num_groups"] = config.norm_num_groups;
  file["norm_eps"] = config.norm_eps;
  file["use_linear_projection"] = config.use_linear_projection;
  file["resnet_time_scale_shift"] = config.scale_shift ? "scale_shift" : "default";
  file["time_embedding_dim"] = config.time_embedding_dim ? json(*config.time_embedding_dim) : json(nullptr);
  file["conv_in_kernel"] = config.conv_in_kernel;
  file["conv_out_kernel"] = config.conv_out_kernel;
  write_json(path, file);
}

} // namespace scoreact
