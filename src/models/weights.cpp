#include "models/weights.hpp"

#include "error/error.hpp"
#include "store/safetensors.hpp"
#include "store/torch_file.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <array>
#include <cstring>

namespace scoreact {
namespace {

struct DTypePair {
  DType file;
  at::ScalarType tensor;
};

constexpr std::array<DTypePair, 10> dtype_pairs = {{{DType::boolean, at::kBool},
                                                    {DType::u8, at::kByte},
                                                    {DType::i8, at::kChar},
                                                    {DType::i16, at::kShort},
                                                    {DType::f16, at::kHalf},
                                                    {DType::bf16, at::kBFloat16},
                                                    {DType::i32, at::kInt},
                                                    {DType::f32, at::kFloat},
                                                    {DType::f64, at::kDouble},
                                                    {DType::i64, at::kLong}}};

at::ScalarType tensor_type(DType dtype, const std::string& where) {
  for (const DTypePair& pair : dtype_pairs) {
    if (pair.file == dtype) {
      return pair.tensor;
    }
  }
  SCOREACT_FAIL(ExitCode::data, "{}: tensors of type {} are not supported", where, name_of(dtype));
}

DType file_type(at::ScalarType type, const std::string& name) {
  for (const DTypePair& pair : dtype_pairs) {
    if (pair.tensor == type) {
      return pair.file;
    }
  }
  SCOREACT_FAIL(ExitCode::internal, "tensor {} of type {} cannot be written to safetensors", name,
                c10::toString(type));
}

/// Tensors that old files carry beside the weights: buffers, and duplicates under a former name.
bool ignorable(const std::string& name) {
  return name.ends_with("position_ids") || name.find("downsamplers.0.Conv2d_0.") != std::string::npos;
}

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes().vec(), ", "));
}

std::string first_few(const std::vector<std::string>& names) {
  const std::size_t shown = std::min<std::size_t>(names.size(), 5);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "));
  return names.size() > shown ? text + fmt::format(" and {} more", names.size() - shown) : text;
}

/// Linear weights that were 1x1 convolutions in the original LDM files.
at::Tensor without_kernel(const at::Tensor& tensor, const at::Tensor& like) {
  const bool convolution = tensor.dim() == 4 && tensor.size(2) == 1 && tensor.size(3) == 1;
  return convolution && like.dim() == 2 ? tensor.flatten(1) : tensor;
}

} // namespace

namespace {

std::map<std::string, at::Tensor> read_safetensors(const std::string& path) {
  const auto file = std::make_shared<const SafetensorsFile>(path);
  std::map<std::string, at::Tensor> tensors;
  for (const std::string& name : file->names()) {
    const ArrayView array = file->at(name);
    const auto options = at::TensorOptions(tensor_type(array.dtype, fmt::format("{}: {}", path, name)));
    tensors.emplace(name, array.data == nullptr
                              ? at::empty(array.shape, options)
                              : at::from_blob(
                                    const_cast<void*>(array.data), array.shape,
                                    [file](void*) { /* the tensor holds the mapping */ }, options));
  }
  return tensors;
}

std::map<std::string, at::Tensor> read_torch_file(const std::string& path) {
  const auto file = std::make_shared<const TorchFile>(path);
  std::map<std::string, at::Tensor> tensors;
  for (const std::string& name : file->names()) {
    const StridedArray& array = file->at(name);
    const auto options = at::TensorOptions(tensor_type(array.dtype, fmt::format("{}: {}", path, name)));
    tensors.emplace(name, array.data == nullptr
                              ? at::empty(array.shape, options)
                              : at::from_blob(
                                    const_cast<void*>(array.data), array.shape, array.strides,
                                    [file](void*) { /* the tensor holds the mapping */ }, options));
  }
  return tensors;
}

} // namespace

std::map<std::string, at::Tensor> read_weights(const std::string& path) {
  return TorchFile::recognises(path) ? read_torch_file(path) : read_safetensors(path);
}

void write_weights(const std::string& path, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> held; // host copies must live until the file is written
  std::vector<NamedArray> arrays;
  for (const auto& [name, tensor] : tensors) {
    held.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& host = held.back();
    arrays.push_back({name, {file_type(host.scalar_type(), name), host.sizes().vec(), host.data_ptr()}});
  }
  write_safetensors(path, arrays, metadata);
}

std::string modern_attention_name(const std::string& name) {
  static const std::array<std::pair<const char*, const char*>, 4> renamed = {
      {{".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."}}};
  if (name.find("attentions.") == std::string::npos) {
    return name;
  }
  for (const auto& [old_part, new_part] : renamed) {
    const std::size_t found = name.find(old_part);
    if (found != std::string::npos) {
      return name.substr(0, found) + new_part + name.substr(found + std::strlen(old_part));
    }
  }
  return name;
}

void load_tensors(const NamedTensors& destination, std::map<std::string, at::Tensor>&& found,
                  const std::string& where) {
  std::map<std::string, at::Tensor> source;
  for (auto& [name, tensor] : found) {
    const std::string modern = modern_attention_name(name);
    SCOREACT_REQUIRE(source.emplace(modern, std::move(tensor)).second, ExitCode::data,
                     "{}: tensor {} is given twice ({})", where, modern, name);
  }
  std::vector<std::string> missing, misshapen, unexpected;
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : destination) {
    const auto given = source.find(name);
    if (given == source.end()) {
      missing.push_back(name);
      continue;
    }
    const at::Tensor value = without_kernel(given->second, tensor);
    if (value.sizes() == tensor.sizes()) {
      at::Tensor(tensor).copy_(value);
    } else {
      misshapen.push_back(
          fmt::format("{} (expected {}, found {})", name, shape_text(tensor), shape_text(value)));
    }
    source.erase(given);
  }
  for (const auto& [name, tensor] : source) {
    if (!ignorable(name)) {
      unexpected.push_back(name);
    }
  }
  std::string problems;
  const auto report = [&problems](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) {
      problems += fmt::format("; {} {} tensor{}: {}", names.size(), what, names.size() == 1 ? "" : "s",
                              first_few(names));
    }
  };
  report("missing", missing);
  report("unexpected", unexpected);
  report("misshapen", misshapen);
  SCOREACT_REQUIRE(problems.empty(), ExitCode::data,
                   "{}: the weights do not belong to the config.json beside them{}", where, problems);
}

void load_weights(const NamedTensors& destination, const std::string& path) {
  load_tensors(destination, read_weights(path), path);
}

} // namespace scoreact
