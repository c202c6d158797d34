#include "kernels/clipped_surrogate.hpp"

#include "kernels/detail/clipped_surrogate_kernel.hpp"

namespace scoreact::kernels {

void clipped_surrogate(Stream stream, SurrogateBounds bounds, Span<const double> log_ratio,
                       Span<const double> advantage, Span<const double> weight, Span<double> derivative,
                       Span<double> value, SurrogateSummary* summary) {
  detail::require(advantage.size == log_ratio.size && weight.size == log_ratio.size &&
                      derivative.size == log_ratio.size && value.size == log_ratio.size,
                  "clipped_surrogate: all vectors need the same length");
  detail::require(bounds.dimensions > 0, "clipped_surrogate: dimensions must be positive");
  detail::require(bounds.log_low <= 0 && bounds.log_high >= 0,
                  "clipped_surrogate: bounds must enclose log 1 = 0");
  detail::require(summary != nullptr, "clipped_surrogate: summary must not be null");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::clipped_surrogate(exec, bounds, detail::vector<Exec>(log_ratio), detail::vector<Exec>(advantage),
                              detail::vector<Exec>(weight), detail::vector<Exec>(derivative),
                              detail::vector<Exec>(value), detail::Scalar<SurrogateSummary, Exec>(summary));
  });
}

} // namespace scoreact::kernels
