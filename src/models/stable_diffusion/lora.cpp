#include "models/stable_diffusion/lora.hpp"

#include "bridge/bridge.hpp"
#include "error/error.hpp"
#include "kernels/normal_noise.hpp"
#include "models/stable_diffusion/adapted_linear.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace scoreact {
namespace {

using Places = std::vector<std::pair<std::string, std::shared_ptr<unet::AdaptedLinear>>>;

/// Every linear map that can carry a LoRA, with its name, in the network's order.
Places places_of(const UNet2DCondition& network) {
  Places places;
  for (const auto& item : network.named_modules("", /*include_self=*/false))
    if (auto linear = std::dynamic_pointer_cast<unet::AdaptedLinear>(item.value()))
      places.emplace_back(item.key(), std::move(linear));
  return places;
}

bool is_target(const std::string& name, const std::vector<std::string>& targets) {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) {
    return name == target || name.ends_with("." + target);
  });
}

/// "to_out.0" of "....attn1.to_out.0": what names the same map in every transformer.
std::string ending_of(const std::string& name) {
  const std::size_t block = name.find("transformer_blocks.");
  if (block == std::string::npos)
    return name.substr(name.rfind('.') + 1);
  for (const char* part : {".attn1.", ".attn2."})
    if (const std::size_t found = name.find(part, block); found != std::string::npos)
      return name.substr(found + 7);
  const std::size_t index = name.find('.', block) + 1; // transformer_blocks.0.ff.net.0.proj
  return name.substr(name.find('.', index) + 1);
}

/// Everything is frozen and no LoRA left.
void reset(UNet2DCondition& network, const Places& places) {
  for (const auto& [name, linear] : places)
    linear->remove_adapter();
  for (const at::Tensor& parameter : network.parameters())
    parameter.set_requires_grad(false);
}

} // namespace

void add_lora(UNet2DCondition& network, const LoraOptions& options) {
  SCOREACT_REQUIRE(options.rank > 0, ExitCode::data, "LoRA: the rank must be positive, found {}",
                   options.rank);
  const Places places = places_of(network);
  for (const std::string& target : options.targets)
    SCOREACT_REQUIRE(std::any_of(places.begin(), places.end(),
                                 [&](const auto& place) { return is_target(place.first, {target}); }),
                     ExitCode::data, "LoRA: no linear map of the U-Net has a name that ends in \"{}\"",
                     target);
  reset(network, places);
  std::uint32_t index = 0;
  for (const auto& [name, linear] : places) {
    if (!is_target(name, options.targets))
      continue;
    const double bound = 1 / std::sqrt(static_cast<double>(linear->in()));
    const at::Tensor down = torch::empty({options.rank, linear->in()});
    const kernels::NoiseKey key{
        .seed = options.seed, .step = index++, .purpose = kernels::Purpose::initialisation};
    kernels::uniform_noise(bridge::stream_of(down), key, 0, bridge::rows<float>(down));
    at::Tensor(down).mul_(2 * bound).sub_(bound);
    const c10::Device device = linear->weight().device();
    linear->adapt(down.to(device), torch::zeros({linear->out(), options.rank}).to(device),
                  options.alpha / static_cast<double>(options.rank));
  }
}

NamedTensors lora_parameters(const UNet2DCondition& network) {
  NamedTensors parameters;
  for (const auto& [name, linear] : places_of(network))
    if (const auto& adapter = linear->adapter()) {
      parameters.emplace_back("unet." + name + ".lora.down.weight", adapter->down());
      parameters.emplace_back("unet." + name + ".lora.up.weight", adapter->up());
    }
  return parameters;
}

void load_lora(UNet2DCondition& network, const std::string& path) {
  load_lora(network, read_lora_file(path), path);
}

void load_lora(UNet2DCondition& network, const LoraFile& lora, const std::string& path) {
  const Places places = places_of(network);
  std::map<std::string, std::shared_ptr<unet::AdaptedLinear>> by_name(places.begin(), places.end());
  for (const LoraModule& module : lora.modules) {
    const auto found = by_name.find(module.name);
    SCOREACT_REQUIRE(found != by_name.end(), ExitCode::data,
                     "{}: {}: the U-Net has no linear map of this name", path, module.name);
    SCOREACT_REQUIRE(module.down.size(1) == found->second->in() && module.up.size(0) == found->second->out(),
                     ExitCode::data, "{}: {}: made for {} -> {} channels, the U-Net has {} -> {}", path,
                     module.name, module.down.size(1), module.up.size(0), found->second->in(),
                     found->second->out());
  }
  reset(network, places);
  for (const LoraModule& module : lora.modules) {
    const auto& linear = by_name.at(module.name);
    const c10::Device device = linear->weight().device();
    linear->adapt(module.down.to(device), module.up.to(device), module.scale);
  }
}

void merge_lora(ClipText& network, const LoraFile& lora, const std::string& path) {
  torch::NoGradGuard no_grad;
  auto weights = network.named_parameters();
  for (const LoraModule& module : lora.text_modules) {
    at::Tensor* weight = weights.find(module.name + ".weight");
    SCOREACT_REQUIRE(weight, ExitCode::data, "{}: {}: the text encoder has no linear map of this name", path,
                     module.name);
    SCOREACT_REQUIRE(weight->size(0) == module.up.size(0) && weight->size(1) == module.down.size(1),
                     ExitCode::data, "{}: {}: made for {} -> {} channels, the text encoder has {} -> {}",
                     path, module.name, module.down.size(1), module.up.size(0), weight->size(1),
                     weight->size(0));
    weight->add_(module.up.mm(module.down).to(weight->device()), module.scale);
  }
}

void save_lora(const UNet2DCondition& network, const std::string& path, LoraSpelling spelling) {
  const Places places = places_of(network);
  LoraFile lora;
  std::set<std::string> endings;
  for (const auto& [name, linear] : places)
    if (const auto& adapter = linear->adapter()) {
      lora.modules.push_back({name, adapter->down().detach(), adapter->up().detach(), adapter->scale()});
      endings.insert(ending_of(name));
    }
  SCOREACT_REQUIRE(!lora.modules.empty(), ExitCode::internal, "{}: there is no LoRA to save", path);
  const std::vector<std::string> targets(endings.begin(), endings.end());
  const auto covered = std::count_if(places.begin(), places.end(),
                                     [&](const auto& place) { return is_target(place.first, targets); });
  if (covered == static_cast<long>(lora.modules.size())) // else the endings would name more than there is
    lora.targets = targets;
  write_lora_file(lora, path, spelling);
}

} // namespace scoreact
