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
#include <span>

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

/// The same of a text encoder, whose maps have names of their own: "...self_attn.to_q_lora" ->
/// "...self_attn.q_proj". Transformers since 5.6 writes no "text_model." in front.
std::string text_module(std::string name) {
  for (const auto& [former, today] :
       {std::pair{".to_q_lora", ".q_proj"}, std::pair{".to_k_lora", ".k_proj"},
        std::pair{".to_v_lora", ".v_proj"}, std::pair{".to_out_lora", ".out_proj"}})
    if (strip_suffix(name, former))
      name += today;
  return name.starts_with("encoder.") ? "text_model." + name : name;
}

struct Place {
  bool of_text_encoder;
  std::string module;
  Part part;
};

/// What a tensor of a file is. Throws Error{data} if it is none of a LoRA of these two networks.
Place place_of(const std::string& key, const std::string& path) {
  std::string name = key;
  strip_prefix(name, "base_model.model.");
  SCOREACT_REQUIRE(!name.starts_with("text_encoder_2.") && !name.starts_with("lora_te2_"), ExitCode::data,
                   "{}: {}: Stable Diffusion 1 has one text encoder; this LoRA is for a second one (SDXL)",
                   path, key);
  const bool kohya_unet = strip_prefix(name, "lora_unet_");
  const bool kohya_text = strip_prefix(name, "lora_te_") || strip_prefix(name, "lora_te1_");
  const bool of_text_encoder =
      kohya_text || strip_prefix(name, "text_encoder.") || name.starts_with("text_model.");
  if (!of_text_encoder)
    strip_prefix(name, "unet.");
  const auto place = [&](const std::string& module, Part part) -> Place {
    const std::string where = path + ": " + key;
    if (kohya_unet)
      return {false, module_of_kohya(module, where), part};
    if (kohya_text)
      return {true, text_module_of_kohya(module, where), part};
    return {of_text_encoder, of_text_encoder ? text_module(module) : without_processor(module), part};
  };
  static const std::array<std::pair<const char*, Part>, 11> endings = {
      {{".lora.down.weight", Part::down},
       {".lora.up.weight", Part::up},
       {".lora_linear_layer.down.weight", Part::down},
       {".lora_linear_layer.up.weight", Part::up},
       {".lora_A.weight", Part::down},
       {".lora_B.weight", Part::up},
       {".lora_A.default.weight", Part::down},
       {".lora_B.default.weight", Part::up},
       {".lora_down.weight", Part::down},
       {".lora_up.weight", Part::up},
       {".alpha", Part::alpha}}};
  for (const auto& [ending, part] : endings)
    if (strip_suffix(name, ending))
      return place(name, part);
  for (const auto& [ending, part] :
       {std::pair{"_lora.down.weight", Part::down}, std::pair{"_lora.up.weight", Part::up}})
    if (name.ends_with(ending)) {
      name.erase(name.rfind('.', name.size() - std::string_view(".weight").size() - 1));
      return place(name, part);
    }
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

struct FoundModule {
  at::Tensor down, up, alpha;
};

/// Throws Error{data} for a module that lacks a factor or whose factors do not fit each other.
std::vector<LoraModule> complete_modules(const std::map<std::string, FoundModule>& found,
                                         const StatedScale& stated, const std::string& file) {
  std::vector<LoraModule> modules;
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
    modules.push_back({name, module.down, module.up, scale});
  }
  return modules;
}

std::vector<std::string> targets_of(const Json& config) {
  std::vector<std::string> targets;
  const auto found = config.find("target_modules");
  if (found != config.end() && found->is_array())
    for (const Json& target : *found)
      if (target.is_string())
        targets.push_back(target.get<std::string>());
  return targets;
}

constexpr const char* unet_prefix = "unet.";
constexpr const char* text_prefix = "text_encoder.";

/// The entries of diffusers' metadata that belong to one network, without its prefix.
Json metadata_of(const std::string& prefix, const std::string& text, const std::string& path) {
  const Json all = parse_json(text, path + ": " + metadata_key);
  SCOREACT_REQUIRE(all.is_object(), ExitCode::data, "{}: {}: expected a JSON object", path, metadata_key);
  Json own = Json::object();
  for (const auto& [key, value] : all.items()) {
    std::string name = key;
    if (strip_prefix(name, prefix))
      own[name] = value;
  }
  return own;
}

std::string file_in(const fs::path& folder) {
  for (const char* ending : {".safetensors", ".bin"})
    for (const char* name : {diffusers_file, peft_file}) {
      const fs::path file = fs::path(folder / name).replace_extension(ending);
      if (fs::exists(file))
        return file.string();
    }
  SCOREACT_FAIL(ExitCode::missing_input, "{}: expected {} or {} (or .bin) in this folder", folder.string(),
                diffusers_file, peft_file);
}

/// The LoraConfig of one network that stands with the tensors, empty if there is none.
Json stated_config(const std::string& prefix, const std::string& file) {
  const fs::path beside = fs::path(file).parent_path() / peft_config;
  if (fs::path(file).stem() == fs::path(peft_file).stem() && fs::exists(beside))
    return read_json(beside.string());
  if (!file.ends_with(".safetensors"))
    return Json::object();
  const auto metadata = SafetensorsFile(file).metadata();
  const auto found = metadata.find(metadata_key);
  return found == metadata.end() ? Json::object() : metadata_of(prefix, found->second, file);
}

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// What the spellings call the two factors of a network, and how kohya's names begin.
struct NetworkNames {
  const char *diffusers_down, *diffusers_up, *kohya;
};
constexpr NetworkNames kUnetNames = {".lora.down.weight", ".lora.up.weight", "lora_unet_"};
constexpr NetworkNames kTextNames = {".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight",
                                     "lora_te_"};

void append(NamedTensors& tensors, const LoraModule& module, const std::string& prefix,
            const NetworkNames& names, LoraSpelling spelling) {
  const at::Tensor up = module.scale == 1 ? module.up : module.up * module.scale;
  if (spelling == LoraSpelling::kohya) {
    const std::string stem = names.kohya + with_underscores(module.name);
    tensors.emplace_back(stem + ".lora_down.weight", module.down);
    tensors.emplace_back(stem + ".lora_up.weight", up);
    tensors.emplace_back(stem + ".alpha", torch::tensor(static_cast<float>(module.rank())));
    return;
  }
  const bool peft = spelling == LoraSpelling::peft;
  const std::string stem = prefix + module.name;
  tensors.emplace_back(stem + (peft ? ".lora_A.weight" : names.diffusers_down), module.down);
  tensors.emplace_back(stem + (peft ? ".lora_B.weight" : names.diffusers_up), up);
}

/// LoraConfig of what is written: alpha = rank.
Json config_of(const std::vector<LoraModule>& modules, const std::vector<std::string>& named_targets) {
  std::map<long, long> count;
  for (const LoraModule& module : modules)
    ++count[module.rank()];
  const auto usual = std::max_element(count.begin(), count.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  const long rank = usual == count.end() ? 1 : usual->first;
  Json targets = named_targets, ranks = Json::object();
  for (const LoraModule& module : modules) {
    if (named_targets.empty())
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

void add_prefixed(Json& all, const std::string& prefix, const Json& config) {
  for (const auto& [key, value] : config.items())
    all[prefix + key] = value;
}

/// A module's name with dots, of kohya's with _ for them, by the words of which the network's names consist.
/// Throws Error{data}, beginning with `where`, where no word fits.
std::string with_dots(const std::string& name, std::span<const std::string_view> words, const char* network,
                      const std::string& where) {
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
    SCOREACT_REQUIRE(length > 0, ExitCode::data, "{}: no module of a {} has this name", where, network);
    module += (module.empty() ? "" : ".") + name.substr(at, length);
    at += length + 1;
  }
  return module;
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
  static constexpr std::array<std::string_view, 29> words = {
      "down_blocks", "up_blocks", "mid_block", "attentions",    "resnets",       "transformer_blocks",
      "attn1",       "attn2",     "to_q",      "to_k",          "to_v",          "to_out",
      "ff",          "net",       "proj_in",   "proj_out",      "proj",          "downsamplers",
      "upsamplers",  "conv_in",   "conv_out",  "conv_shortcut", "time_emb_proj", "time_embedding",
      "linear_1",    "linear_2",  "conv1",     "conv2",         "conv"};
  return with_dots(name, words, "UNet2DConditionModel", where);
}

std::string text_module_of_kohya(const std::string& name, const std::string& where) {
  static constexpr std::array<std::string_view, 11> words = {"text_model", "encoder", "layers", "self_attn",
                                                             "q_proj",     "k_proj",  "v_proj", "out_proj",
                                                             "mlp",        "fc1",     "fc2"};
  return with_dots(name, words, "CLIPTextModel", where);
}

LoraFile read_lora_file(const std::string& path) {
  const std::string file = fs::is_directory(path) ? file_in(path) : path;
  std::map<std::string, FoundModule> unet, text_encoder;
  for (const auto& [key, tensor] : read_weights(file)) {
    const Place place = place_of(key, file);
    FoundModule& module = (place.of_text_encoder ? text_encoder : unet)[place.module];
    at::Tensor& slot = place.part == Part::down ? module.down
                       : place.part == Part::up ? module.up
                                                : module.alpha;
    SCOREACT_REQUIRE(!slot.defined(), ExitCode::data, "{}: {}: this module is given twice", file, key);
    slot = place.part == Part::alpha ? tensor : as_matrix(tensor, key, file);
  }
  const Json config = stated_config(unet_prefix, file);
  LoraFile lora;
  lora.targets = targets_of(config);
  lora.modules = complete_modules(unet, StatedScale(config, file), file);
  lora.text_modules =
      complete_modules(text_encoder, StatedScale(stated_config(text_prefix, file), file), file);
  SCOREACT_REQUIRE(!lora.modules.empty() || !lora.text_modules.empty(), ExitCode::data,
                   "{}: expected LoRA weights, found no tensor", file);
  return lora;
}

void write_lora_file(const LoraFile& lora, const std::string& path, LoraSpelling spelling) {
  const bool folder = !path.ends_with(".safetensors");
  const bool adapter = folder && spelling == LoraSpelling::peft; // as peft's own save_pretrained
  SCOREACT_REQUIRE(
      !adapter || lora.modules.empty() || lora.text_modules.empty(), ExitCode::data,
      "{}: peft's folder holds the LoRA of one network, this one has some of a U-Net and of a text "
      "encoder; expected a name that ends in .safetensors",
      path);
  const bool only_text = lora.modules.empty();
  const Json config = only_text ? config_of(lora.text_modules, {}) : config_of(lora.modules, lora.targets);
  NamedTensors tensors;
  for (const auto& module : lora.modules)
    append(tensors, module, adapter ? "base_model.model." : unet_prefix, kUnetNames, spelling);
  for (const auto& module : lora.text_modules)
    append(tensors, module, adapter ? "base_model.model." : text_prefix, kTextNames, spelling);
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (spelling == LoraSpelling::kohya) { // diffusers refuses alpha tensors beside its own metadata
    metadata["ss_network_dim"] = metadata["ss_network_alpha"] = config["r"].dump();
    metadata["ss_network_module"] = "networks.lora";
  } else if (!adapter) {
    Json prefixed = Json::object();
    if (!lora.modules.empty())
      add_prefixed(prefixed, unet_prefix, config_of(lora.modules, lora.targets));
    if (!lora.text_modules.empty())
      add_prefixed(prefixed, text_prefix, config_of(lora.text_modules, {}));
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
