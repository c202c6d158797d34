#include "kernels/gaussian_log_ratio.hpp"

#include "kernels/detail/gaussian_kernel.hpp"

namespace scoreact::kernels {

namespace {
double factor_of(LogRatioReduction reduction, long elements) {
  return reduction == LogRatioReduction::mean && elements > 0 ? 1.0 / static_cast<double>(elements) : 1.0;
}
} // namespace

void gaussian_log_ratio(Stream stream, Rows<const float> action, Rows<const float> mean,
                        Rows<const float> old_mean, Span<const double> std, LogRatioReduction reduction,
                        Span<double> log_ratio) {
  detail::require_same_shape(action, mean, "gaussian_log_ratio: action and mean differ in shape");
  detail::require_same_shape(old_mean, mean, "gaussian_log_ratio: old_mean and mean differ in shape");
  detail::require(std.size == mean.samples && log_ratio.size == mean.samples,
                  "gaussian_log_ratio: std and log_ratio need one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::gaussian_log_ratio(exec, detail::matrix<Exec>(action), detail::matrix<Exec>(mean),
                               detail::matrix<Exec>(old_mean), detail::vector<Exec>(std),
                               factor_of(reduction, mean.elements), detail::vector<Exec>(log_ratio));
  });
}

void gaussian_log_ratio_backward(Stream stream, Rows<const float> action, Rows<const float> mean,
                                 Span<const double> std, LogRatioReduction reduction,
                                 Span<const double> upstream, Rows<float> mean_gradient) {
  detail::require_same_shape(action, mean, "gaussian_log_ratio_backward: action and mean differ in shape");
  detail::require_same_shape(mean_gradient, mean,
                             "gaussian_log_ratio_backward: gradient and mean differ in shape");
  detail::require(std.size == mean.samples && upstream.size == mean.samples,
                  "gaussian_log_ratio_backward: std and upstream need one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::gaussian_log_ratio_backward(exec, detail::matrix<Exec>(action), detail::matrix<Exec>(mean),
                                        detail::vector<Exec>(std), factor_of(reduction, mean.elements),
                                        detail::vector<Exec>(upstream), detail::matrix<Exec>(mean_gradient));
  });
}

void gaussian_log_prob(Stream stream, Rows<const float> action, Rows<const float> mean,
                       Span<const double> std, Span<double> log_prob) {
  detail::require_same_shape(action, mean, "gaussian_log_prob: action and mean differ in shape");
  detail::require(std.size == mean.samples && log_prob.size == mean.samples,
                  "gaussian_log_prob: std and log_prob need one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::gaussian_log_prob(exec, detail::matrix<Exec>(action), detail::matrix<Exec>(mean),
                              detail::vector<Exec>(std), detail::vector<Exec>(log_prob));
  });
}

} // namespace scoreact::kernels
