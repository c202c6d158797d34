#include "models/clip/initial_values.hpp"

#include "error/error.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <cmath>

namespace scoreact {

namespace {

constexpr double kEmbeddingDeviation = 0.02; ///< initializer_range
constexpr double kLogitScale = 2.6592;       ///< logit_scale_init_value

bool has(const std::string& name, const char* part) { return name.find(part) != std::string::npos; }

/// Standard deviation of a tensor that is drawn; `inputs` is the width of what a matrix multiplies.
double deviation(const std::string& name, double inputs, double layers) {
  if (has(name, "class_embedding"))
    return 1 / std::sqrt(inputs);
  if (has(name, "embedding"))
    return kEmbeddingDeviation;
  if (has(name, "q_proj") || has(name, "k_proj") || has(name, "v_proj"))
    return 1 / std::sqrt(inputs * 2 * layers);
  if (has(name, "out_proj") || has(name, "text_projection") || has(name, "visual_projection"))
    return 1 / std::sqrt(inputs);
  SCOREACT_FAIL(ExitCode::internal, "no initial values are known for {}", name);
}

} // namespace

void initialise_clip(const NamedTensors& tensors, long text_layers, long vision_layers, std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  auto generator = at::detail::createCPUGenerator(seed);
  for (const auto& [name, parameter] : tensors) {
    at::Tensor values = at::empty(parameter.sizes(), at::kFloat);
    const double layers = static_cast<double>(has(name, "vision_model.") ? vision_layers : text_layers);
    const double inputs = values.dim() == 0 ? 1.0 : static_cast<double>(values.size(-1));
    if (name == "logit_scale")
      values.fill_(kLogitScale);
    else if (name.ends_with(".bias"))
      values.zero_();
    else if (has(name, "norm"))
      values.fill_(1);
    else if (has(name, "mlp.fc1"))
      values.normal_(0, 1 / std::sqrt(2 * inputs), generator);
    else if (has(name, "mlp.fc2")) // its outputs are the width of the tower
      values.normal_(0, 1 / std::sqrt(static_cast<double>(values.size(0)) * 2 * layers), generator);
    else
      values.normal_(0, deviation(name, inputs, layers), generator);
    at::Tensor destination = parameter;
    destination.copy_(values);
    destination.set_requires_grad(true);
  }
}

} // namespace scoreact
