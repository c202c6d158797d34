#include "kernels/returns.hpp"

#include "kernels/detail/returns_kernel.hpp"

namespace scoreact::kernels {

void returns_with_running_cost(Stream stream, Rows<const double> cost, Span<const double> reward,
                               Rows<double> returns) {
  detail::require_same_shape(cost, returns, "returns_with_running_cost: cost and returns differ in shape");
  detail::require(reward.size == cost.elements,
                  "returns_with_running_cost: reward needs one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::returns_with_running_cost(exec, detail::matrix<Exec>(cost), detail::vector<Exec>(reward),
                                      detail::matrix<Exec>(returns));
  });
}

} // namespace scoreact::kernels
