#include "models/stable_diffusion/lora_file.hpp"

#include "error/error.hpp"
#include "models/json_file.hpp"
#include "models/weights.hpp"
#include "store/safetensors.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

namespace scoreact {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* metadata_key = "lora_adapter_metadata"; // diffusers, since pull request 11324
constexpr const char* diffusers_file = "pytorch_lora_weights.safetensors";
constexpr const char* peft_file = "adapter_model.safetensors";
constexpr const char* peft_config = "adapter_config.json";

enum class Part { down, up, alpha };

/// Takes `prefix` off; false if it is not there.
bool strip_prefix(std::string& text, std::string_view prefix) {
  if (!text.starts_with(prefix))
    return false;
  text.erase(0, prefix.size());
  return true;
}

bool strip_suffix(std::string& text, std::string_view suffix) {
  if (!text.ends_with(suffix))
    return false;
  text.erase(text.size() - suffix.size());
  return true;
}

/// The old attention processors: "...attn1.processor.to_q_lora" -> "...attn1.to_q".
std::string without_processor(std::string name) {
  const std::string infix = ".processor.";
  const std::size_t found = name.find(infix);
  if (found == std::string::npos)
    return name;
  name.replace(found, infix.size(), ".");
  strip_suffix(name, "_lora");
  return name.ends_with(".to_out") ? name + ".0" : name;
}

struct Place {
  std::string module;
  Part part;
};

/// What a tensor of a file is. Throws Error{data} if it is none of a U-Net's LoRA.
Place place_of(const std::string& key, const std::string& path) {
  std::string name = key;
  strip_prefix(name, "base_model.model.");
  SCOREACT_REQUIRE(!name.starts_with("text_encoder") && !name.starts_with("lora_te"), ExitCode::data,
                   "{}: {}: LoRA of a text encoder is not supported; only the U-Net's is", path, key);
  const bool kohya = strip_prefix(name, "lora_unet_");
  if (!kohya)
    strip_prefix(name, "unet.");
  static const std::array<std::pair<const char*, Part>, 9> endings = {{{".lora.down.weight", Part::down},
                                                                       {".lora.up.weight", Part::up},
                                                                       {".lora_A.weight", Part::down},
                                                                       {".lora_B.weight", Part::up},
                                                                       {".lora_A.default.weight", Part::down},
                                                                       {".lora_B.default.weight", Part::up},
                                                                       {".lora_down.weight", Part::down},
                                                                       {".lora_up.weight", Part::up},
                                                                       {".alpha", Part::alpha}}};
  for (const auto& [ending, part] : endings)
    if (strip_suffix(name, ending))
      return {kohya ? module_of_kohya(name, path + ": " + key) : name, part};
  for (const auto& [ending, part] :
       {std::pair{".down.weight", Part::down}, std::pair{".up.weight", Part::up}})
    if (name.find(".processor.") != std::string::npos && strip_suffix(name, ending))
      return {without_processor(name), part};
  SCOREACT_FAIL(ExitCode::data,
                "{}: {}: expected a tensor of a LoRA (.lora.down.weight, .lora_A.weight, ...)", path, key);
}

/// A 1x1 convolution's factors are [r, in, 1, 1] and [out, r, 1, 1].
at::Tensor as_matrix(const at::Tensor& tensor, const std::string& key, const std::string& path) {
  const bool convolution = tensor.dim() == 4 && tensor.size(2) == 1 && tensor.size(3) == 1;
  SCOREACT_REQUIRE(tensor.dim() == 2 || convolution, ExitCode::data,
                   "{}: {}: expected a matrix or a 1x1 convolution, found {} axes", path, key, tensor.dim());
  return tensor.flatten(1).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true); // not the file's pages
}

/// alpha and its exceptions, as peft's LoraConfig states them.
class StatedScale {
 public:
  StatedScale() = default;
  StatedScale(const Json& config, const std::string& path)
      : alpha_(json_optional<double>(config, "lora_alpha", std::nullopt, path)),
        root_(json_value(config, "use_rslora", false, path)) {
    SCOREACT_REQUIRE(!json_value(config, "use_dora", false, path), ExitCode::data,
                     "{}: use_dora: DoRA is not supported", path);
    const auto pattern = config.find("alpha_pattern");
    if (pattern == config.end() || pattern->is_null())
      return;
    SCOREACT_REQUIRE(pattern->is_object(), ExitCode::data, "{}: alpha_pattern: expected an object, found {}",
                     path, json_excerpt(*pattern));
    for (const auto& [name, value] : pattern->items()) {
      SCOREACT_REQUIRE(value.is_number() && name.find_first_of("*^$[](){}|\\?+") == std::string::npos,
                       ExitCode::data, "{}: alpha_pattern: expected module names and numbers, found {}", path,
                       json_excerpt(*pattern));
      exceptions_.emplace_back(name, value.get<double>());
    }
  }

  double scale(const std::string& module, long rank) const {
    std::optional<double> alpha = alpha_;
    for (const auto& [name, value] : exceptions_)
      if (module == name || module.ends_with("." + name)) {
        alpha = value;
        break;
      }
    const double r = static_cast<double>(rank);
    return alpha ? *alpha / (root_ ? std::sqrt(r) : r) : 1.0;
  }

 private:
  std::optional<double> alpha_;
  bool root_ = false;
  std::vector<std::pair<std::string, double>> exceptions_;
};

std::vector<std::string> targets_of(const Json& config) {
  std::vector<std::string> targets;
  const auto found = config.find("target_modules");
  if (found != config.end() && found->is_array())
    for (const Json& target : *found)
      if (target.is_string())
        targets.push_back(target.get<std::string>());
  return targets;
}

/// The entries of diffusers' metadata that belong to the U-Net, without "unet.".
Json unet_metadata(const std::string& text, const std::string& path) {
  const Json all = parse_json(text, path + ": " + metadata_key);
  SCOREACT_REQUIRE(all.is_object(), ExitCode::data, "{}: {}: expected a JSON object", path, metadata_key);
  Json own = Json::object();
  for (const auto& [key, value] : all.items()) {
    std::string name = key;
    if (strip_prefix(name, "unet."))
      own[name] = value;
  }
  return own;
}

std::string file_in(const fs::path& folder) {
  for (const char* name : {diffusers_file, peft_file})
    if (fs::exists(folder / name))
      return (folder / name).string();
  SCOREACT_FAIL(ExitCode::missing_input, "{}: expected {} or {} in this folder", folder.string(),
                diffusers_file, peft_file);
}

/// The LoraConfig that stands with the tensors, empty if there is none.
Json stated_config(const std::string& file) {
  const fs::path beside = fs::path(file).parent_path() / peft_config;
  if (fs::path(file).filename() == peft_file && fs::exists(beside))
    return read_json(beside.string());
  if (!file.ends_with(".safetensors"))
    return Json::object();
  const auto metadata = SafetensorsFile(file).metadata();
  const auto found = metadata.find(metadata_key);
  return found == metadata.end() ? Json::object() : unet_metadata(found->second, file);
}

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// LoraConfig of what is written: alpha = rank.
Json config_of(const LoraFile& lora) {
  std::map<long, long> count;
  for (const LoraModule& module : lora.modules)
    ++count[module.rank()];
  const auto usual = std::max_element(count.begin(), count.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  const long rank = usual == count.end() ? 1 : usual->first;
  Json targets = lora.targets, ranks = Json::object();
  for (const LoraModule& module : lora.modules) {
    if (lora.targets.empty())
      targets.push_back(module.name);
    if (module.rank() != rank)
      ranks[module.name] = module.rank();
  }
  return {{"r", rank},
          {"lora_alpha", rank},
          {"target_modules", targets},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"use_rslora", false},
          {"rank_pattern", ranks},
          {"alpha_pattern", ranks},
          {"init_lora_weights", true}};
}

} // namespace

LoraSpelling lora_spelling(const std::string& name) {
  if (name == "diffusers")
    return LoraSpelling::diffusers;
  if (name == "peft")
    return LoraSpelling::peft;
  SCOREACT_REQUIRE(name == "kohya", ExitCode::usage,
                   "LoRA spelling: expected diffusers, peft or kohya, found \"{}\"", name);
  return LoraSpelling::kohya;
}

std::string module_of_kohya(const std::string& name, const std::string& where) {
  static const std::array<const char*, 29> words = {
      "down_blocks", "up_blocks", "mid_block", "attentions",    "resnets",       "transformer_blocks",
      "attn1",       "attn2",     "to_q",      "to_k",          "to_v",          "to_out",
      "ff",          "net",       "proj_in",   "proj_out",      "proj",          "downsamplers",
      "upsamplers",  "conv_in",   "conv_out",  "conv_shortcut", "time_emb_proj", "time_embedding",
      "linear_1",    "linear_2",  "conv1",     "conv2",         "conv"};
  std::string module;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t length = 0;
    const auto ends_at = [&](std::size_t end) { return end == name.size() || name[end] == '_'; };
    for (const std::string_view word : words)
      if (word.size() > length && name.compare(at, word.size(), word) == 0 && ends_at(at + word.size()))
        length = word.size();
    const std::size_t digits = std::min(name.find_first_not_of("0123456789", at), name.size()) - at;
    if (digits > 0 && ends_at(at + digits))
      length = digits;
    SCOREACT_REQUIRE(length > 0, ExitCode::data, "{}: no module of a UNet2DConditionModel has this name",
                     where);
    module += (module.empty() ? "" : ".") + name.substr(at, length);
    at += length + 1;
  }
  return module;
}

LoraFile read_lora_file(const std::string& path) {
  const std::string file = fs::is_directory(path) ? file_in(path) : path;
  struct Found {
    at::Tensor down, up, alpha;
  };
  std::map<std::string, Found> found;
  for (const auto& [key, tensor] : read_weights(file)) {
    const Place place = place_of(key, file);
    Found& module = found[place.module];
    at::Tensor& slot = place.part == Part::down ? module.down
                       : place.part == Part::up ? module.up
                                                : module.alpha;
    SCOREACT_REQUIRE(!slot.defined(), ExitCode::data, "{}: {}: this module is given twice", file, key);
    slot = place.part == Part::alpha ? tensor : as_matrix(tensor, key, file);
  }
  const Json config = stated_config(file);
  const StatedScale stated(config, file);
  LoraFile lora;
  lora.targets = targets_of(config);
  for (const auto& [name, module] : found) {
    SCOREACT_REQUIRE(module.down.defined() && module.up.defined(), ExitCode::data,
                     "{}: {}: LoRA needs both factors, found only {}", file, name,
                     module.down.defined() ? "the lower one"
                     : module.up.defined() ? "the upper one"
                                           : "alpha");
    const long rank = module.down.size(0);
    SCOREACT_REQUIRE(rank > 0 && module.up.size(1) == rank, ExitCode::data,
                     "{}: {}: the factors' ranks differ: {} and {}", file, name, rank, module.up.size(1));
    SCOREACT_REQUIRE(!module.alpha.defined() || module.alpha.numel() == 1, ExitCode::data,
                     "{}: {}: alpha: expected one number, found {}", file, name, module.alpha.numel());
    const double scale = module.alpha.defined()
                             ? module.alpha.to(at::kDouble).item<double>() / static_cast<double>(rank)
                             : stated.scale(name, rank);
    lora.modules.push_back({name, module.down, module.up, scale});
  }
  SCOREACT_REQUIRE(!lora.modules.empty(), ExitCode::data, "{}: expected LoRA weights, found no tensor", file);
  return lora;
}

void write_lora_file(const LoraFile& lora, const std::string& path, LoraSpelling spelling) {
  const bool folder = !path.ends_with(".safetensors");
  const bool adapter = folder && spelling == LoraSpelling::peft; // as peft's own save_pretrained
  NamedTensors tensors;
  for (const LoraModule& module : lora.modules) {
    const at::Tensor up = module.scale == 1 ? module.up : module.up * module.scale;
    if (spelling == LoraSpelling::kohya) {
      const std::string stem = "lora_unet_" + with_underscores(module.name);
      tensors.emplace_back(stem + ".lora_down.weight", module.down);
      tensors.emplace_back(stem + ".lora_up.weight", up);
      tensors.emplace_back(stem + ".alpha", torch::tensor(static_cast<float>(module.rank())));
    } else {
      const bool peft = spelling == LoraSpelling::peft;
      const std::string stem = (adapter ? "base_model.model." : "unet.") + module.name;
      tensors.emplace_back(stem + (peft ? ".lora_A.weight" : ".lora.down.weight"), module.down);
      tensors.emplace_back(stem + (peft ? ".lora_B.weight" : ".lora.up.weight"), up);
    }
  }
  const Json config = config_of(lora);
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (spelling == LoraSpelling::kohya) { // diffusers refuses alpha tensors beside its own metadata
    metadata["ss_network_dim"] = metadata["ss_network_alpha"] = config["r"].dump();
    metadata["ss_network_module"] = "networks.lora";
  } else if (!adapter) {
    Json prefixed = Json::object();
    for (const auto& [key, value] : config.items())
      prefixed["unet." + key] = value;
    metadata[metadata_key] = prefixed.dump(2);
  }
  if (!folder) {
    write_weights(path, tensors, metadata);
    return;
  }
  std::error_code failure;
  fs::create_directories(path, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", path, failure.message());
  write_weights((fs::path(path) / (adapter ? peft_file : diffusers_file)).string(), tensors, metadata);
  if (adapter) {
    Json all = config;
    all.update({{"peft_type", "LORA"}, {"base_model_name_or_path", nullptr}, {"inference_mode", true}});
    write_json((fs::path(path) / peft_config).string(), all);
  }
}

} // namespace scoreact
