/// scoreact convert IN OUT: weights in another file, another precision or another LoRA spelling.
#include "drivers/command.hpp"
#include "models/shards.hpp"
#include "models/stable_diffusion/lora_file.hpp"
#include "models/weights.hpp"
#include "store/safetensors.hpp"
#include "store/torch_file.hpp"

#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

/// The stems under which diffusers, transformers and peft save a network.
constexpr const char* kStems[] = {"diffusion_pytorch_model", "model", "adapter_model"};

std::optional<at::ScalarType> type_of(const std::string& name) {
  if (name.empty()) {
    return std::nullopt;
  }
  return name == "fp16" ? at::kHalf : name == "bf16" ? at::kBFloat16 : at::kFloat;
}

/// Floating tensors in another precision; the others stay. Throws Error{data} where a number gets lost.
at::Tensor converted(const at::Tensor& tensor, const std::optional<at::ScalarType>& type,
                     const std::string& name) {
  if (!type || !tensor.is_floating_point() || tensor.scalar_type() == *type) {
    return tensor;
  }
  at::Tensor result = tensor.to(*type);
  const bool lost = (result.isfinite() != tensor.isfinite()).any().item<bool>();
  SCOREACT_REQUIRE(!lost, ExitCode::data, "{}: its largest number, {:.6g}, does not fit into {}", name,
                   tensor.to(at::kDouble).abs().max().item<double>(), c10::toString(*type));
  return result;
}

/// IN is a file, the index of shards, or the folder of one network.
std::map<std::string, at::Tensor> read_any(const std::string& path) {
  if (is_shard_index(path)) {
    return read_shards(path);
  }
  if (!fs::is_directory(path)) {
    return read_weights(path);
  }
  for (const char* stem : kStems) {
    const std::string first = fmt::format("{}.", stem);
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(first) ||
          (std::string_view(stem) == "model" && name.starts_with("pytorch_model."))) {
        return read_model_weights(path, stem);
      }
    }
  }
  SCOREACT_FAIL(ExitCode::missing_input,
                "{}: no weights in this folder; expected {}, {} or {} with an ending", path, kStems[0],
                kStems[1], kStems[2]);
}

/// What a safetensors file says of itself, format = pt else.
std::map<std::string, std::string> metadata_of(const std::string& path) {
  std::map<std::string, std::string> metadata;
  if (fs::is_regular_file(path) && !path.ends_with(".json") && !TorchFile::recognises(path)) {
    metadata = SafetensorsFile(path).metadata();
  }
  metadata.try_emplace("format", "pt"); // transformers refuses files without it
  return metadata;
}

void convert_lora(const Invocation& invocation, const std::optional<at::ScalarType>& type) {
  LoraFile lora = read_lora_file(invocation.target);
  for (auto* modules : {&lora.modules, &lora.text_modules})
    for (LoraModule& module : *modules) {
      module.down = converted(module.down, type, module.name);
      module.up = converted(module.up, type, module.name);
    }
  write_lora_file(lora, invocation.out, lora_spelling(invocation.convert.format));
  fmt::print("{}: {} LoRA modules, {} spelling\n", invocation.out,
             lora.modules.size() + lora.text_modules.size(), invocation.convert.format);
}

void convert_weights(const Invocation& invocation, const std::optional<at::ScalarType>& type) {
  SCOREACT_REQUIRE(invocation.out.ends_with(".safetensors"), ExitCode::usage,
                   "convert: OUT: expected a name that ends in .safetensors, found {}", invocation.out);
  NamedTensors tensors;
  std::int64_t numbers = 0;
  for (const auto& [name, tensor] : read_any(invocation.target)) {
    tensors.emplace_back(name, converted(tensor, type, fmt::format("{}: {}", invocation.target, name)));
    numbers += tensor.numel();
  }
  write_weights(invocation.out, tensors, metadata_of(invocation.target));
  fmt::print("{}: {} tensors, {} numbers\n", invocation.out, tensors.size(), numbers);
}

} // namespace

ExitCode run_convert(const Invocation& invocation) {
  int rank = 0;
  SCOREACT_CHECK_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  if (rank != 0) {
    return ExitCode::success;
  }
  const std::optional<at::ScalarType> type = type_of(invocation.convert.dtype);
  if (invocation.convert.format.empty()) {
    convert_weights(invocation, type);
  } else {
    convert_lora(invocation, type);
  }
  return ExitCode::success;
}

} // namespace scoreact
