#include "rl/value_function.hpp"

#include "error/error.hpp"
#include "kernels/normal_noise.hpp"

#include <cmath>
#include <numbers>

namespace scoreact {

ValueWeights value_weights(const std::string& c_out, const at::Tensor& tau) {
  if (c_out == "none")
    return {at::ones_like(tau), at::zeros_like(tau)};
  if (c_out == "linear")
    return {1.0 - tau, tau};
  const at::Tensor angle = tau * (std::numbers::pi / 2.0);
  if (c_out == "sin")
    return {angle.cos(), angle.sin()};
  SCOREACT_REQUIRE(c_out == "one_minus_cos", ExitCode::data,
                   "value.c_out: expected sin, one_minus_cos, linear or none, found \"{}\"", c_out);
  return {angle.cos(), 1.0 - angle.cos()};
}

namespace {

/// PyTorch's default initialisation U(+-1/sqrt(fan_in)), drawn from the counter-based generator: no global
/// state.
void initialise(torch::nn::Module& module, std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  std::uint32_t number = 0;
  for (auto& child : module.modules(false)) {
    const auto parameters = child->named_parameters(false);
    const at::Tensor* weight = parameters.find("weight");
    if (weight == nullptr)
      continue;
    const long fan_in = weight->numel() / weight->size(0);
    const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
    for (const auto& parameter : parameters) {
      ++number;
      if (at::count_nonzero(parameter.value()).item<long>() == 0)
        continue; // the last layer stays 0
      at::Tensor host = at::empty({1, parameter.value().numel()}, at::kFloat);
      kernels::uniform_noise({}, {seed, 0, number, kernels::Purpose::initialisation}, 0,
                             {host.data_ptr<float>(), 1, host.numel()});
      parameter.value().copy_((host * 2.0 - 1.0).mul_(bound).view(parameter.value().sizes()));
    }
  }
}

} // namespace

ValueFunction::ValueFunction(std::shared_ptr<Reward> reward, const ValueOptions& options,
                             const std::vector<long>& sample_shape, long num_prompts, std::uint64_t seed,
                             const Communicator& ranks, bool deterministic, const at::Device& device)
    : reward_(std::move(reward)), options_(options), unconditional_(num_prompts == 0) {
  AdamWOptions adamw;
  adamw.weight_decay = 0.01; // the released code's value optimiser (torch's AdamW default)
  std::vector<std::pair<std::string, at::Tensor>> trained;
  if (options.network != "small")
    copy_ = reward_->trainable_copy(options.frozen_fraction);
  SCOREACT_REQUIRE(
      copy_ || options.network != "reward_copy", ExitCode::data,
      "value.network = reward_copy: the reward {} has no network to copy; expected small or auto",
      reward_->name());
  if (copy_) {
    trained = copy_->parameters();
  } else {
    network_ = ValueNetwork(sample_shape, num_prompts, options.hidden);
    initialise(*network_, seed);
    network_->to(device);
    trained = network_->named_parameters().pairs();
  }
  optimizer_ = std::make_unique<FlatAdamW>(FlatParameters(trained), adamw, ranks, deterministic);
}

FrozenBranch ValueFunction::frozen_branch(const ValueRows& rows, bool with_gradient) const {
  const bool by_graph = with_gradient && reward_->differentiable();
  at::AutoGradMode grad_mode(by_graph);
  const at::Tensor input = predictor_input(rows).detach();
  if (by_graph)
    input.requires_grad_();
  const at::Tensor reward = (*reward_)(input, rows.prompt).to(at::kFloat);
  FrozenBranch frozen{reward.detach(), {}};
  if (with_gradient)
    frozen.gradient =
        by_graph ? torch::autograd::grad({reward.sum()}, {input})[0].detach() : at::zeros_like(input);
  return frozen;
}

at::Tensor ValueFunction::weighted(const ValueRows& rows, const at::Tensor& frozen,
                                   const at::Tensor& trained) const {
  const ValueWeights weights = value_weights(options_.c_out, rows.tau);
  return weights.skip * frozen + weights.out * scale_ * trained;
}

at::Tensor ValueFunction::trained_features(const ValueRows& rows) const {
  return copy_ ? copy_->features(corrector_input(rows)) : corrector_input(rows);
}

at::Tensor ValueFunction::value(const ValueRows& rows, const at::Tensor& frozen, const at::Tensor& features) {
  return weighted(rows, frozen,
                  copy_ ? copy_->rear(features, rows.prompt)
                        : network_->forward(features, rows.tau, unconditional_ ? at::Tensor() : rows.prompt));
}

at::Tensor ValueFunction::trained_branch(const ValueRows& rows) {
  const at::Tensor& input = corrector_input(rows);
  return copy_ ? copy_->value(input, rows.prompt)
               : network_->forward(input, rows.tau, unconditional_ ? at::Tensor() : rows.prompt);
}

at::Tensor ValueFunction::value(const ValueRows& rows, const at::Tensor& frozen) {
  return weighted(rows, frozen, trained_branch(rows));
}

at::Tensor ValueFunction::value(const ValueRows& rows, const FrozenBranch& frozen) {
  if (!frozen.gradient.defined())
    return value(rows, frozen.value);
  const at::Tensor linear = (frozen.gradient * predictor_input(rows)).flatten(1).sum(1);
  const at::Tensor gradient_only = linear - linear.detach(); // 0, with RM's gradient
  return weighted(rows, frozen.value + gradient_only, trained_branch(rows));
}

} // namespace scoreact
