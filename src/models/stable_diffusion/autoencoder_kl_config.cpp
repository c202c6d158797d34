#include "models/json_file.hpp"
#include "models/stable_diffusion/autoencoder_kl.hpp"

namespace scoreact {
namespace {

void require_null(const nlohmann::json& json, const char* key, const std::string& path) {
  const auto found = json.find(key);
  SCOREACT_REQUIRE(found == json.end() || found->is_null(), ExitCode::data,
                   "{}: {} = {} is not supported; expected null", path, key, json_excerpt(*found));
}

void require_types(const nlohmann::json& json, const char* key, const std::string& only, std::size_t levels,
                   const std::string& path) {
  const auto types = json_value(json, key, std::vector<std::string>{only}, path);
  SCOREACT_REQUIRE(types.size() == levels, ExitCode::data,
                   "{}: {}: expected one for each of the {} block_out_channels, found {}", path, key, levels,
                   types.size());
  for (const std::string& type : types)
    SCOREACT_REQUIRE(type == only, ExitCode::data, "{}: {}: expected {}, found \"{}\"", path, key, only,
                     type);
}

} // namespace

// Generous bounds: what lies beyond is damage, and would ask for all memory.
void check_autoencoder_kl_config(const AutoencoderKlConfig& config, const std::string& path) {
  const auto within = [&](const char* key, long value, long low, long high) {
    SCOREACT_REQUIRE(value >= low && value <= high, ExitCode::data, "{}: {} must lie in {} .. {}, found {}",
                     path, key, low, high, value);
  };
  constexpr long most = 65536;
  within("in_channels", config.in_channels, 1, most);
  within("out_channels", config.out_channels, 1, most);
  within("latent_channels", config.latent_channels, 1, most);
  within("layers_per_block", config.layers_per_block, 1, 100);
  within("norm_num_groups", config.norm_num_groups, 1, most);
  within("sample_size", config.sample_size, 1, most);
  within("number of levels", static_cast<long>(config.block_out_channels.size()), 1, 16);
  for (const long channels : config.block_out_channels) {
    within("block_out_channels", channels, 1, most);
    SCOREACT_REQUIRE(channels % config.norm_num_groups == 0, ExitCode::data,
                     "{}: block_out_channels must be multiples of norm_num_groups = {}, found {}", path,
                     config.norm_num_groups, channels);
  }
  SCOREACT_REQUIRE(config.scaling_factor > 0, ExitCode::data, "{}: scaling_factor must be positive, found {}",
                   path, config.scaling_factor);
}

AutoencoderKlConfig read_autoencoder_kl_config(const std::string& path) {
  const nlohmann::json json = read_json(path);
  const auto class_name = json_value<std::string>(json, "_class_name", "", path);
  SCOREACT_REQUIRE(class_name == "AutoencoderKL", ExitCode::data,
                   "{}: expected \"_class_name\": \"AutoencoderKL\", found \"{}\"{}", path, class_name,
                   class_name.starts_with("Flax") ? " (weights of Flax are not supported)" : "");
  AutoencoderKlConfig config;
  const auto read = [&](const char* key, auto& member) { member = json_value(json, key, member, path); };
  read("in_channels", config.in_channels);
  read("out_channels", config.out_channels);
  read("latent_channels", config.latent_channels);
  read("block_out_channels", config.block_out_channels);
  read("layers_per_block", config.layers_per_block);
  read("norm_num_groups", config.norm_num_groups);
  read("sample_size", config.sample_size);
  read("scaling_factor", config.scaling_factor);
  read("use_quant_conv", config.use_quant_conv);
  read("use_post_quant_conv", config.use_post_quant_conv);
  read("mid_block_add_attention", config.mid_block_add_attention);
  for (const char* key : {"shift_factor", "latents_mean", "latents_std"})
    require_null(json, key, path);
  const std::size_t levels = config.block_out_channels.size();
  require_types(json, "down_block_types", "DownEncoderBlock2D", levels, path);
  require_types(json, "up_block_types", "UpDecoderBlock2D", levels, path);
  const auto act = json_value<std::string>(json, "act_fn", "silu", path);
  SCOREACT_REQUIRE(act == "silu" || act == "swish", ExitCode::data,
                   "{}: act_fn: expected \"silu\", found \"{}\"", path, act);
  check_autoencoder_kl_config(config, path);
  return config;
}

void write_autoencoder_kl_config(const AutoencoderKlConfig& config, const std::string& path) {
  const std::size_t levels = config.block_out_channels.size();
  write_json(path, {{"_class_name", "AutoencoderKL"},
                    {"_diffusers_version", "0.30.0"},
                    {"act_fn", "silu"},
                    {"block_out_channels", config.block_out_channels},
                    {"down_block_types", std::vector<std::string>(levels, "DownEncoderBlock2D")},
                    {"in_channels", config.in_channels},
                    {"latent_channels", config.latent_channels},
                    {"layers_per_block", config.layers_per_block},
                    {"mid_block_add_attention", config.mid_block_add_attention},
                    {"norm_num_groups", config.norm_num_groups},
                    {"out_channels", config.out_channels},
                    {"sample_size", config.sample_size},
                    {"scaling_factor", config.scaling_factor},
                    {"up_block_types", std::vector<std::string>(levels, "UpDecoderBlock2D")},
                    {"use_post_quant_conv", config.use_post_quant_conv},
                    {"use_quant_conv", config.use_quant_conv}});
}

} // namespace scoreact
