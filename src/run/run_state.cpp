#include "run/run_state.hpp"

#include "error/error.hpp"
#include "models/host_arrays.hpp"

#include <torch/torch.h>

namespace scoreact {

namespace {

using NamedTensorList = std::vector<std::pair<std::string, at::Tensor>>;

void restore_weights(const SafetensorsFile& file, const NamedTensorList& named, const std::string& where) {
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

} // namespace

void save_run_state(const std::filesystem::path& checkpoints, const RunCounters& counters,
                    Algorithm& algorithm, const std::string& deck, const std::filesystem::path& run_file,
                    long keep) {
  HostArrays policy, value, optimizer;
  const auto add_optimizer = [&](FlatAdamW& adamw, const std::string& prefix) {
    optimizer.add(adamw.state(), prefix);
    optimizer.add(prefix + "steps", at::tensor({static_cast<std::int64_t>(adamw.steps())}, at::kLong));
  };
  FlatAdamW& policy_optimizer = algorithm.policy_optimizer();
  policy.add(policy_optimizer.parameters().named());
  add_optimizer(policy_optimizer, "policy/");
  if (ValueFunction* function = algorithm.value_function()) {
    value.add(function->optimizer().parameters().named());
    add_optimizer(function->optimizer(), "value/");
  }
  CheckpointContent content;
  content.policy = policy.arrays();
  content.value = value.arrays();
  content.optimizer = optimizer.arrays();
  content.state = {{"epoch", counters.epoch},         {"network_evaluations", counters.network_evaluations},
                   {"wall_time", counters.wall_time}, {"restarts", counters.restarts},
                   {"algorithm", algorithm.state()},  {"deck", deck}};
  content.copies = {run_file};
  write_checkpoint(checkpoints, counters.epoch, content, keep);
}

RunCounters load_run_state(const LoadedCheckpoint& checkpoint, Algorithm& algorithm) {
  const std::string where = checkpoint.folder().string();
  FlatAdamW& policy = algorithm.policy_optimizer();
  restore_weights(checkpoint.policy(), policy.parameters().named(), where + "/policy.safetensors");
  restore_optimizer(checkpoint, policy, "policy/");
  if (ValueFunction* function = algorithm.value_function()) {
    const auto file = checkpoint.value();
    SCOREACT_REQUIRE(file.has_value(), ExitCode::data, "{}: value.safetensors is missing", where);
    restore_weights(*file, function->optimizer().parameters().named(), where + "/value.safetensors");
    restore_optimizer(checkpoint, function->optimizer(), "value/");
  }
  const nlohmann::json& state = checkpoint.state();
  algorithm.restore(state.at("algorithm").get<std::map<std::string, std::vector<double>>>());
  return {checkpoint.epoch(), state.at("network_evaluations").get<double>(),
          state.at("wall_time").get<double>(), state.at("restarts").get<double>() + 1};
}

void load_policy_weights(const LoadedCheckpoint& checkpoint, Denoiser& network) {
  restore_weights(checkpoint.policy(), network.named_parameters(),
                  checkpoint.folder().string() + "/policy.safetensors");
}

} // namespace scoreact
