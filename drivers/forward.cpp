/// scoreact forward MODEL_DIR: one pass of one network, for comparing with any other implementation.
#include "command.hpp"
#include "models/forward_pass.hpp"
#include "run/network_setup.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

/// grad.<name> of <main output, cotangent> for every floating-point input and tensor of a LoRA; zeros where
/// it does not matter. A cotangent may lack the output's axes of length 1, as a reward per picture does.
NamedTensors gradients(const at::Tensor& output, const at::Tensor& cotangent, const NamedTensors& inputs) {
  SCOREACT_REQUIRE(cotangent.squeeze().sizes() == output.squeeze().sizes(), ExitCode::data,
                   "cotangent: expected the shape of the output, [{}], found [{}]",
                   fmt::join(output.sizes().vec(), ", "), fmt::join(cotangent.sizes().vec(), ", "));
  std::vector<at::Tensor> wanted;
  for (const auto& [name, tensor] : inputs)
    wanted.push_back(tensor);
  if (wanted.empty())
    return {};
  const auto found = torch::autograd::grad({output}, wanted, {cotangent.view_as(output)}, false, false, true);
  NamedTensors results;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    results.emplace_back("grad." + inputs[i].first,
                         found[i].defined() ? found[i] : at::zeros_like(wanted[i]));
  return results;
}

} // namespace

ExitCode run_forward(const Invocation& invocation) {
  std::string directory = invocation.target;
  const ForwardNetwork& network = forward_network(directory);
  const bool grad = invocation.forward.grad;
  const ForwardRequest& request = invocation.forward;
  SCOREACT_REQUIRE(request.lora.empty() || network.takes_lora, ExitCode::usage,
                   "--lora: belongs to a UNet2DConditionModel, found {}", network.name);
  ForwardInputs inputs(request.inputs, grad, device_of(invocation.device_id), request.lora);
  std::vector<std::string> known = network.inputs;
  if (grad)
    known.emplace_back("cotangent");
  inputs.require_known(known);
  const at::Tensor cotangent = grad ? inputs.required("cotangent").detach() : at::Tensor();
  SCOREACT_REQUIRE(!grad || cotangent.is_floating_point(), ExitCode::data,
                   "cotangent: expected floating-point numbers, found {}", toString(cotangent.scalar_type()));

  const torch::AutoGradMode grad_mode(grad);
  NamedTensors results = network.pass(directory, inputs, device_of(invocation.device_id));
  if (grad) {
    NamedTensors asked = inputs.differentiated();
    asked.erase(asked.begin()); // the cotangent
    for (auto& gradient : gradients(results.front().second, cotangent, asked))
      results.push_back(std::move(gradient));
  }
  for (auto& [name, tensor] : results)
    tensor = tensor.detach().contiguous();
  write_weights(invocation.out, results);
  if (!invocation.quiet)
    fmt::print("{}: {} -> {}\n", network.name, invocation.forward.inputs, invocation.out);
  return ExitCode::success;
}

} // namespace scoreact
