#include "evaluation/draw_clipped.hpp"

#include "evaluation/known_noise.hpp"
#include "evaluation/scheduler_steps.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact {
namespace {

/// Weight of x0hat in the next state: sqrt(abar') of DDIM (diffusers leaves eps as it was), and of the
/// posterior mean of DDPM.
double weight_of_data(const Step& step, const std::string& solver) {
  const double alpha_next = std::sqrt(step.abar_next);
  return solver == "ddim" ? alpha_next : alpha_next * (1 - step.abar / step.abar_next) / (1 - step.abar);
}

} // namespace

at::Tensor draw_clipped(Denoiser& network, const SchedulerConfig& scheduler, const std::string& solver,
                        long num_steps, const at::Tensor& initial, const at::Generator& generator) {
  torch::NoGradGuard no_grad;
  SampleOptions sample;
  sample.solver = solver;
  sample.num_steps = num_steps;
  sample.eta = 0;
  const Schedule& schedule = network.schedule();
  const double range = scheduler.clip_sample_range;
  at::Tensor x = initial;
  for (const Step& step : scheduler_step_table(scheduler, sample).steps) {
    const RowTimes times = row_times(schedule, {{step.tau, step.abar}}, x.size(0), x);
    const at::Tensor s = score(network, x, times, {}, 1.0);
    at::Tensor next = x * step.keep + s * step.push;
    if (scheduler.clip_sample) {
      const at::Tensor x0 = tweedie_mean(x, s, times);
      next.add_(x0.clamp(-range, range).sub_(x0), weight_of_data(step, solver));
    }
    if (step.spread > 0)
      next.add_(torch_noise(generator, x.sizes().vec()).to(x.device()), step.spread);
    x = next;
  }
  return x;
}

} // namespace scoreact
