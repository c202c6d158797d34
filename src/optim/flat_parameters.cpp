#include "optim/flat_parameters.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

namespace scoreact {

FlatParameters::FlatParameters(std::vector<std::pair<std::string, at::Tensor>> named)
    : named_(std::move(named)) {
  SCOREACT_REQUIRE(!named_.empty(), ExitCode::internal, "a network without trainable parameters");
  torch::NoGradGuard no_grad;
  std::vector<at::Tensor> pieces;
  for (const auto& [name, tensor] : named_) {
    SCOREACT_REQUIRE(tensor.scalar_type() == at::kFloat, ExitCode::internal, "parameter {} is not fp32",
                     name);
    pieces.push_back(tensor.detach().reshape({-1}));
  }
  values_ = at::cat(pieces);
  gradient_ = at::zeros_like(values_);
  const auto values = views_of(values_), gradients = views_of(gradient_);
  for (std::size_t i = 0; i < named_.size(); ++i) {
    named_[i].second.set_data(values[i].second);
    named_[i].second.mutable_grad() = gradients[i].second;
  }
}

void FlatParameters::zero_gradient() {
  torch::NoGradGuard no_grad;
  gradient_.zero_();
}

std::vector<std::pair<std::string, at::Tensor>> FlatParameters::views_of(const at::Tensor& flat) const {
  std::vector<std::pair<std::string, at::Tensor>> views;
  long offset = 0;
  for (const auto& [name, tensor] : named_) {
    views.emplace_back(name, flat.narrow(0, offset, tensor.numel()).view(tensor.sizes()));
    offset += tensor.numel();
  }
  return views;
}

} // namespace scoreact
