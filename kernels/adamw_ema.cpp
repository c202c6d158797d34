#include "kernels/adamw_ema.hpp"

#include "kernels/detail/adamw_ema_kernel.hpp"

namespace scoreact::kernels {

void squared_norm(Stream stream, Span<const float> values, double* out) {
  detail::require(out != nullptr, "squared_norm: out must not be null");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::squared_norm(exec, detail::vector<Exec>(values), detail::Scalar<double, Exec>(out));
  });
}

void adamw_ema(Stream stream, AdamWStep step, const double* gradient_squared_norm, Span<float> parameter,
               Span<const float> gradient, Span<float> first, Span<float> second, Span<float> ema) {
  detail::require(gradient.size == parameter.size && first.size == parameter.size &&
                      second.size == parameter.size,
                  "adamw_ema: parameter, gradient and moments need the same length");
  detail::require(ema.data == nullptr || ema.size == parameter.size,
                  "adamw_ema: ema and parameter need the same length");
  detail::require(step.step >= 1, "adamw_ema: step counts from 1");
  detail::require(step.max_grad_norm <= 0 || gradient_squared_norm != nullptr,
                  "adamw_ema: clipping needs the gradient's squared norm");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::adamw_ema(exec, step, gradient_squared_norm, detail::vector<Exec>(parameter),
                      detail::vector<Exec>(gradient), detail::vector<Exec>(first),
                      detail::vector<Exec>(second), detail::vector<Exec>(ema));
  });
}

} // namespace scoreact::kernels
