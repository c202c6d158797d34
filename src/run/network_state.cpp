#include "run/network_state.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

namespace scoreact {

void add_optimizer(HostArrays& arrays, FlatAdamW& optimizer, const std::string& prefix) {
  arrays.add(optimizer.state(), prefix);
  arrays.add(prefix + "steps", at::tensor({static_cast<std::int64_t>(optimizer.steps())}, at::kLong));
}

void restore_weights(const SafetensorsFile& file,
                     const std::vector<std::pair<std::string, at::Tensor>>& named, const std::string& where) {
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : named) {
    SCOREACT_REQUIRE(file.contains(name), ExitCode::data,
                     "{}: tensor {} is missing; was the deck's network changed?", where, name);
    const ArrayView array = file.at(name);
    SCOREACT_REQUIRE(array.dtype == DType::f32 && array.shape == tensor.sizes().vec(), ExitCode::data,
                     "{}: tensor {} has another shape or type than the deck's network", where, name);
    const at::Tensor source = at::from_blob(const_cast<void*>(array.data), array.shape, at::kFloat);
    at::Tensor destination = tensor;
    destination.copy_(source);
  }
}

void restore_optimizer(const LoadedCheckpoint& checkpoint, FlatAdamW& optimizer, const std::string& prefix) {
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : optimizer.state()) {
    std::vector<float> values = checkpoint.optimizer_floats(prefix + name);
    SCOREACT_REQUIRE(static_cast<long>(values.size()) == tensor.numel(), ExitCode::data,
                     "{}: {} has {} numbers, the deck's network {}", checkpoint.folder().string(),
                     prefix + name, values.size(), tensor.numel());
    at::Tensor destination = tensor;
    destination.copy_(at::from_blob(values.data(), {tensor.numel()}, at::kFloat));
  }
  optimizer.set_steps(static_cast<long>(checkpoint.optimizer_integers(prefix + "steps").front()));
}

} // namespace scoreact
