#include "error/error.hpp"
#include "models/denoiser.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

/// [rows] -> [rows, 1, ..., 1], to multiply states
at::Tensor by_row(const at::Tensor& values, const at::Tensor& x) {
  std::vector<int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = values.size(0);
  return values.view(shape);
}

/// docs/mathematics.md section 1, with one noise level a row.
at::Tensor to_score(Prediction from, const at::Tensor& output, const at::Tensor& x, const RowTimes& times) {
  const at::Tensor sigma = by_row(times.sigma, x);
  switch (from) {
  case Prediction::score:
    return output;
  case Prediction::epsilon:
    return output * (-1.0 / sigma);
  case Prediction::sample:
    return (by_row(times.alpha, x) * output - x) / sigma.square();
  case Prediction::v_prediction:
    return -(by_row(times.alpha, x) / sigma) * output - x; // eps = alpha v + sigma x
  }
  SCOREACT_FAIL(ExitCode::internal, "unknown prediction type");
}

} // namespace

at::Tensor guided_prediction(Denoiser& denoiser, const at::Tensor& x, const RowTimes& times,
                             const at::Tensor& prompt, double guidance_scale) {
  if (guidance_scale == 1.0) {
    return denoiser.predict(x, times, prompt);
  }
  SCOREACT_REQUIRE(denoiser.num_prompts() > 0 && prompt.defined(), ExitCode::data,
                   "sample.guidance_scale = {}: this model is unconditional, so there is nothing to guide it "
                   "by; expected 1",
                   guidance_scale);
  const auto twice = [](const at::Tensor& values) { return at::cat({values, values}); };
  const RowTimes both = {twice(times.timestep), twice(times.alpha), twice(times.sigma), twice(times.tau)};
  const at::Tensor prompts = at::cat({at::full_like(prompt, -1), prompt});
  const auto halves = denoiser.predict(twice(x), both, prompts).chunk(2);
  return halves[0] + guidance_scale * (halves[1] - halves[0]);
}

at::Tensor score(Denoiser& denoiser, const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt,
                 double guidance_scale) {
  return to_score(denoiser.prediction(), guided_prediction(denoiser, x, times, prompt, guidance_scale), x,
                  times);
}

at::Tensor tweedie_mean(const at::Tensor& x, const at::Tensor& score, const RowTimes& times) {
  return (x + by_row(times.sigma, x).square() * score) / by_row(times.alpha, x);
}

} // namespace scoreact
