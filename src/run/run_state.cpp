#include "run/run_state.hpp"

#include "error/error.hpp"
#include "run/instruction_set.hpp"
#include "run/network_state.hpp"

#include <torch/torch.h>

namespace scoreact {

void save_run_state(const std::filesystem::path& checkpoints, const RunCounters& counters,
                    Algorithm& algorithm, const std::string& deck, const std::filesystem::path& run_file,
                    long keep) {
  HostArrays policy, value, optimizer;
  FlatAdamW& policy_optimizer = algorithm.policy_optimizer();
  policy.add(policy_optimizer.parameters().named());
  add_optimizer(optimizer, policy_optimizer, "policy/");
  if (ValueFunction* function = algorithm.value_function()) {
    value.add(function->optimizer().parameters().named());
    add_optimizer(optimizer, function->optimizer(), "value/");
  }
  CheckpointContent content;
  content.policy = policy.arrays();
  content.value = value.arrays();
  content.optimizer = optimizer.arrays();
  content.state = {{"epoch", counters.epoch},
                   {"value_pretrained", counters.value_pretrained},
                   {"network_evaluations", counters.network_evaluations},
                   {"wall_time", counters.wall_time},
                   {"restarts", counters.restarts},
                   {"algorithm", algorithm.state()},
                   {"instruction_set", instruction_set()},
                   {"deck", deck}};
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
  return {checkpoint.epoch(), state.value("value_pretrained", 0L), // versions before did not save it
          state.at("network_evaluations").get<double>(), state.at("wall_time").get<double>(),
          state.at("restarts").get<double>() + 1};
}

void load_policy_weights(const LoadedCheckpoint& checkpoint, Denoiser& network) {
  restore_weights(checkpoint.policy(), network.named_parameters(),
                  checkpoint.folder().string() + "/policy.safetensors");
  const std::string average = "policy/ema"; // as save_run_state() names it
  if (!checkpoint.has_optimizer(average))
    return;
  torch::NoGradGuard no_grad;
  std::vector<float> flat = checkpoint.optimizer_floats(average);
  std::size_t read = 0;
  for (auto& [name, tensor] : network.named_parameters()) {
    const auto count = static_cast<std::size_t>(tensor.numel());
    SCOREACT_REQUIRE(read + count <= flat.size(), ExitCode::data,
                     "{}: {} has {} numbers, too few for the deck's network", checkpoint.folder().string(),
                     average, flat.size());
    at::Tensor destination = tensor;
    destination.copy_(at::from_blob(flat.data() + read, tensor.sizes(), at::kFloat));
    read += count;
  }
}

} // namespace scoreact
