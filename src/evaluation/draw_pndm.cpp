#include "evaluation/draw_pndm.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <deque>

namespace scoreact {
namespace {

constexpr std::size_t kMemory = 6; ///< two of earlier steps and the four of a Runge-Kutta step

at::Tensor draw_part(Denoiser& network, const std::vector<PndmStep>& steps, double guidance_scale,
                     at::Tensor x, const at::Tensor& prompt) {
  const Schedule& schedule = network.schedule();
  std::deque<at::Tensor> outputs; // newest first
  at::Tensor marked = x;
  std::vector<std::pair<double, double>> calls;
  for (const PndmStep& step : steps)
    calls.emplace_back(schedule.tau_of_index(static_cast<double>(step.timestep)), step.abar);
  const RowTimes of_calls = row_times(schedule, calls, 1, x);
  for (std::size_t call = 0; call < steps.size(); ++call) {
    const PndmStep& step = steps[call];
    const RowTimes times = rows_at(of_calls, static_cast<long>(call), x.size(0));
    if (step.marks)
      marked = x;
    const at::Tensor output = guided_prediction(network, x, times, prompt, guidance_scale);
    outputs.push_front(output);
    if (outputs.size() > kMemory)
      outputs.pop_back();
    at::Tensor mixed = outputs[0] * step.weight[0];
    for (std::size_t j = 1; j < step.weight.size(); ++j)
      mixed.add_(outputs[j], step.weight[j]);
    outputs.erase(outputs.begin(), outputs.begin() + step.forgets);
    const at::Tensor& from = step.from_marked ? marked : x;
    const LinearMap to_epsilon = convert(network.prediction(), Prediction::epsilon, step.abar_from);
    x = from * (step.keep + step.push * to_epsilon.on_state) + mixed * (step.push * to_epsilon.on_prediction);
  }
  return x;
}

} // namespace

at::Tensor draw_pndm(Denoiser& network, const std::vector<PndmStep>& steps, double guidance_scale,
                     long micro_batch, const at::Tensor& initial, const at::Tensor& prompt) {
  torch::NoGradGuard no_grad;
  at::Tensor finals = at::empty_like(initial);
  for (long first = 0; first < initial.size(0); first += micro_batch) {
    const long rows = std::min(micro_batch, initial.size(0) - first);
    finals.narrow(0, first, rows)
        .copy_(draw_part(network, steps, guidance_scale, initial.narrow(0, first, rows),
                         prompt.narrow(0, first, rows)));
  }
  return finals;
}

} // namespace scoreact
