#include "kernels/sampler_step.hpp"

#include "kernels/detail/sampler_step_kernel.hpp"

namespace scoreact::kernels {

void sampler_step(Stream stream, NoiseKey action_key, NoiseKey brownian_key, std::int64_t first_sample,
                  const StepCoefficients& step, Rows<const float> state, Rows<const float> mean,
                  Rows<const float> carried, Rows<float> action, Rows<float> next, Span<double> log_prob) {
  detail::require_same_shape(state, mean, "sampler_step: state and mean differ in shape");
  detail::require_same_shape(action, mean, "sampler_step: action and mean differ in shape");
  detail::require_same_shape(next, mean, "sampler_step: next and mean differ in shape");
  detail::require(log_prob.size == mean.samples, "sampler_step: log_prob needs one number a sample");
  detail::require(step.action_std >= 0, "sampler_step: action_std must not be negative");
  detail::require(action_key.step < 1u << 24 && brownian_key.step < 1u << 24,
                  "noise: step must be below 2^24");
  if (step.carry != 0) {
    detail::require_same_shape(carried, mean, "sampler_step: carried and mean differ in shape");
  }
  const Rows<const float> extra = step.carry != 0 ? carried : mean; // multiplied by 0 in the second case
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::sampler_step(exec, action_key, brownian_key, first_sample, step, detail::matrix<Exec>(state),
                         detail::matrix<Exec>(mean), detail::matrix<Exec>(extra),
                         detail::matrix<Exec>(action), detail::matrix<Exec>(next),
                         detail::vector<Exec>(log_prob));
  });
}

} // namespace scoreact::kernels
