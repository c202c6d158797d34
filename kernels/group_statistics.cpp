#include "kernels/group_statistics.hpp"

#include "kernels/detail/group_statistics_kernel.hpp"

namespace scoreact::kernels {

void grouped_moments(Stream stream, Span<const double> values, Span<const std::int32_t> group,
                     Span<Moments> moments) {
  detail::require(values.size == group.size, "grouped_moments: values and group need the same length");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::grouped_moments(exec, detail::vector<Exec>(values), detail::vector<Exec>(group),
                            detail::vector<Exec>(moments));
  });
}

} // namespace scoreact::kernels
