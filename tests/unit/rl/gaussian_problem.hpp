#pragma once
/// The analytic Gaussian model as a policy with a rollout: everything that the tests of src/rl start from.
/// Data N((0.6, -0.4), 0.8^2 I), docs/mathematics.md section 6 G1.
#include "models/analytic/analytic_denoiser.hpp"
#include "parallel/communicator.hpp"
#include "rewards/polynomial_reward.hpp"
#include "rl/action.hpp"
#include "rl/path_kl.hpp"
#include "rl/rollout.hpp"
#include "rl/value_function.hpp"

#include <torch/torch.h>

namespace scoreact::testing_support {

inline const std::vector<double> kDataMean{0.6, -0.4};
inline constexpr double kDataStd = 0.8;

inline std::shared_ptr<Denoiser> gaussian_denoiser() {
  AnalyticOptions options;
  options.means = {kDataMean};
  options.stds = {kDataStd};
  return make_analytic_denoiser(options, {});
}

inline StepTable table_of(const std::string& solver, long num_steps, double eta = 1.0,
                          const std::string& grid = "leading") {
  const Schedule schedule = make_analytic_schedule({});
  GridOptions options;
  options.kind = grid;
  options.num_steps = num_steps;
  return make_step_table(schedule, make_grid(schedule, options), {.solver = solver, .eta = eta});
}

inline Shard whole(long samples, long micro_batch) { return {samples, micro_batch, 0, samples}; }

/// Quadratic reward RM = -0.3 |x - (0.3, 0.5)|^2.
inline std::shared_ptr<Reward> quadratic_reward() {
  RewardOptions options;
  options.strength = 0.6;
  options.center = {0.3, 0.5};
  return make_quadratic_reward(options, {2});
}

/// A policy that has left its pretrained model, a rollout of it, its reward, times and pretrained means.
struct GaussianProblem {
  explicit GaussianProblem(long num_samples = 8, const std::string& solver = "ddim", long num_steps = 6,
                           const std::string& action = "transition")
      : samples(num_samples), policy(network, 1.0), table(table_of(solver, num_steps)),
        actions(action_steps(table, action, {0.7, 0.5})) {
    {
      torch::NoGradGuard no_grad;
      auto parameters = network->named_parameters();
      parameters[0].second.add_(torch::tensor({0.4F, -0.2F}));
      parameters[1].second.add_(torch::tensor({{0.10F, 0.05F}, {-0.02F, 0.20F}}));
    }
    batch = collect(policy, table, actions, whole(samples, samples), torch::zeros({samples}, torch::kLong),
                    {7, 2});
    torch::NoGradGuard no_grad;
    batch.reward = (*reward)(batch.final_state(), batch.prompt).to(torch::kDouble);
    batch.times = all_times(table.size(), samples);
    attach_pretrained(batch, policy, samples);
  }
  ValueFunction value_function(const ValueOptions& options) const {
    return {reward, options, {2}, 0, 5, ranks, true, at::Device(at::kCPU)};
  }

  long samples;
  Communicator ranks{MPI_COMM_SELF};
  std::shared_ptr<Denoiser> network = gaussian_denoiser();
  std::shared_ptr<Reward> reward = quadratic_reward();
  ScorePolicy policy;
  StepTable table;
  std::vector<ActionStep> actions;
  Trajectories batch;
};

/// Gives the trained branch weights of order 1, the last layer included.
inline void scatter_weights(ValueFunction& value) {
  torch::NoGradGuard no_grad;
  const at::Tensor& values = value.optimizer().parameters().values();
  values.copy_(torch::sin(torch::arange(values.numel(), torch::kFloat) * 1.7F) * 0.3F);
}

} // namespace scoreact::testing_support
