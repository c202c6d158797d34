#include "models/denoiser.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact {

RowTimes row_times(const Schedule& schedule, const std::vector<std::pair<double, double>>& tau_abar,
                   long rows_per_time, const at::Tensor& like) {
  const long times = static_cast<long>(tau_abar.size());
  at::Tensor table = torch::empty({4, times}, torch::kFloat32);
  auto value = table.accessor<float, 2>();
  for (long k = 0; k < times; ++k) {
    const auto [tau, abar] = tau_abar[static_cast<std::size_t>(k)];
    value[0][k] = static_cast<float>(schedule.timestep_of(tau));
    value[1][k] = static_cast<float>(std::sqrt(abar));
    value[2][k] = static_cast<float>(std::sqrt(1.0 - abar));
    value[3][k] = static_cast<float>(tau);
  }
  const at::Tensor rows = table.unsqueeze(2)
                              .expand({4, times, rows_per_time})
                              .reshape({4, times * rows_per_time})
                              .to(like.device());
  return {rows[0], rows[1], rows[2], rows[3]};
}

RowTimes rows_at(const RowTimes& times, long time, long rows) {
  const auto repeated = [&](const at::Tensor& of_times) {
    return of_times.narrow(0, time, 1).expand({rows}).contiguous();
  };
  return {repeated(times.timestep), repeated(times.alpha), repeated(times.sigma), repeated(times.tau)};
}

} // namespace scoreact
