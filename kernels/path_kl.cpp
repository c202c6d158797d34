#include "kernels/path_kl.hpp"

#include "kernels/detail/path_kl_kernel.hpp"

namespace scoreact::kernels {

void path_kl_density(Stream stream, Rows<const float> mean, Rows<const float> pretrained,
                     Span<const double> factor, Span<double> density) {
  detail::require_same_shape(mean, pretrained, "path_kl_density: mean and pretrained differ in shape");
  detail::require(factor.size == mean.samples && density.size == mean.samples,
                  "path_kl_density: factor and density need one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::path_kl_density(exec, detail::matrix<Exec>(mean), detail::matrix<Exec>(pretrained),
                            detail::vector<Exec>(factor), detail::vector<Exec>(density));
  });
}

void path_kl_integral(Stream stream, Rows<const double> density, Rows<const double> weight,
                      Span<double> integral) {
  detail::require_same_shape(density, weight, "path_kl_integral: density and weight differ in shape");
  detail::require(integral.size == density.elements, "path_kl_integral: integral needs one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::path_kl_integral(exec, detail::matrix<Exec>(density), detail::matrix<Exec>(weight),
                             detail::vector<Exec>(integral));
  });
}

} // namespace scoreact::kernels
