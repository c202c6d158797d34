#include "models/stable_diffusion/adapted_linear.hpp"

#include "error/error.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

namespace scoreact::unet {

LoraMatrix::LoraMatrix(const at::Tensor& values) : weight(register_parameter("weight", values)) {}

LoraAdapter::LoraAdapter(const at::Tensor& down, const at::Tensor& up, double scale)
    : down_(register_module("down", std::make_shared<LoraMatrix>(down))),
      up_(register_module("up", std::make_shared<LoraMatrix>(up))), scale_(scale) {}

at::Tensor LoraAdapter::forward(const at::Tensor& x, const at::Tensor& base) const {
  const at::Tensor hidden = at::linear(x.to(down().scalar_type()), down());
  const at::Tensor rows = base.flatten(0, -2).to(hidden.scalar_type());
  // the product and the sum in one pass over the output
  const at::Tensor sum = at::addmm(rows, hidden.flatten(0, -2), up().t(), 1, scale_);
  return sum.view(base.sizes()).to(base.scalar_type());
}

AdaptedLinear::AdaptedLinear(long in, long out, Initial& initial, LinearForm form)
    : Linear(in, out, initial, form), in_(in), out_(out) {}

at::Tensor AdaptedLinear::forward(const at::Tensor& x, bool adapted) {
  const at::Tensor base = Linear::forward(x);
  return adapted && adapter_ ? adapter_->forward(x, base) : base;
}

void AdaptedLinear::adapt(const at::Tensor& down, const at::Tensor& up, double scale) {
  SCOREACT_REQUIRE(down.dim() == 2 && up.dim() == 2 && down.size(1) == in_ && up.size(0) == out_ &&
                       down.size(0) == up.size(1),
                   ExitCode::data, "LoRA: expected matrices [r, {}] and [{}, r], found [{}] and [{}]", in_,
                   out_, fmt::join(down.sizes().vec(), ", "), fmt::join(up.sizes().vec(), ", "));
  remove_adapter();
  adapter_ = register_module("lora", std::make_shared<LoraAdapter>(down, up, scale));
}

void AdaptedLinear::remove_adapter() {
  if (adapter_) {
    unregister_module("lora");
    adapter_.reset();
  }
}

} // namespace scoreact::unet
