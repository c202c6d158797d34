#include "kernels/advantage_rate.hpp"

#include "kernels/detail/advantage_rate_kernel.hpp"

namespace scoreact::kernels {

namespace {
void require_policy(Rows<const float> action, Rows<const float> mean, Rows<const float> pretrained,
                    const AdvantageTerms& terms, Span<double> rate) {
  detail::require_same_shape(action, mean, "advantage_rate: action and mean differ in shape");
  detail::require_same_shape(pretrained, mean, "advantage_rate: pretrained and mean differ in shape");
  detail::require(terms.cost.size == mean.samples && rate.size == mean.samples,
                  "advantage_rate: cost and rate need one number a sample");
  detail::require(!terms.centred || terms.action_std.size == mean.samples,
                  "advantage_rate: centred terms need action_std, one number a sample");
}
} // namespace

void advantage_rate(Stream stream, Rows<const float> action, Rows<const float> mean,
                    Rows<const float> pretrained, Rows<const float> value_gradient, AdvantageTerms terms,
                    Span<double> rate) {
  require_policy(action, mean, pretrained, terms, rate);
  detail::require_same_shape(value_gradient, mean, "advantage_rate: value_gradient and mean differ in shape");
  detail::require(terms.drift.size == mean.samples, "advantage_rate: drift needs one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::advantage_rate(exec, detail::matrix<Exec>(action), detail::matrix<Exec>(mean),
                           detail::matrix<Exec>(pretrained), detail::matrix<Exec>(value_gradient),
                           detail::vector<Exec>(terms.drift), detail::vector<Exec>(terms.cost),
                           detail::vector<Exec>(terms.action_std), terms.centred, detail::vector<Exec>(rate));
  });
}

void advantage_rate_from_difference(Stream stream, Rows<const float> action, Rows<const float> mean,
                                    Rows<const float> pretrained, Span<const double> value_difference,
                                    AdvantageTerms terms, Span<double> rate) {
  require_policy(action, mean, pretrained, terms, rate);
  detail::require(value_difference.size == mean.samples,
                  "advantage_rate_from_difference: value_difference needs one number a sample");
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::advantage_rate_from_difference(
        exec, detail::matrix<Exec>(action), detail::matrix<Exec>(mean), detail::matrix<Exec>(pretrained),
        detail::vector<Exec>(value_difference), detail::vector<Exec>(terms.cost),
        detail::vector<Exec>(terms.action_std), terms.centred, detail::vector<Exec>(rate));
  });
}

} // namespace scoreact::kernels
