#include "verification/fine_tuning_checks.hpp"

#include "diffusion/grid.hpp"
#include "models/analytic/analytic_denoiser.hpp"
#include "rewards/reward_options.hpp"
#include "rl/advantage.hpp"
#include "rl/ctrl.hpp"
#include "rl/path_kl.hpp"
#include "rl/rollout.hpp"

#include <torch/torch.h>

#include <fmt/format.h>

#include <cmath>

namespace scoreact::verification {
namespace {

struct Study {
  std::string name;
  AnalyticOptions model;
  QuadraticReward reward;
  double kl_weight;
  /// Of the value function; none: V = RM(x0hat), whose gradient is exact for constant pushes.
  std::string c_out;
  double learning_rate;
  /// Of gain and KL, relative; of means and covariances, in units of the tilted law's spread.
  double tolerance;
};

std::vector<Study> studies() {
  AnalyticOptions gaussian, mixture;
  gaussian.means = {{0.6, -0.4}};
  gaussian.stds = {0.8};
  gaussian.policy = "constant";
  mixture.weights = {0.4, 0.6};
  mixture.means = {{-1.2, 0.3}, {0.8, -0.5}};
  mixture.stds = {0.5, 0.6};
  mixture.policy = "mlp";
  return {{"gaussian", gaussian, {{0.8, -0.6}, 0.0, {0.0, 0.0}}, 0.6, "none", 0.2, 0.06},
          {"mixture", mixture, {{-0.5, 0.4}, 0.0, {0.0, 0.0}}, 0.5, "sin", 0.01, 0.12}};
}

/// Final states, rewards and path KLs of fresh samples under the trained policy.
struct Outcome {
  at::Tensor states;  ///< [n, d] float64
  at::Tensor rewards; ///< [n] float64
  at::Tensor kl;      ///< [n] float64, nats
  at::Tensor rate;    ///< [steps, n] float64, q of every step under the fitted V; undefined without a fit
};

Outcome fine_tune(const Study& study, const VerifyOptions& options) {
  const Communicator ranks(MPI_COMM_SELF);
  const auto network = make_analytic_denoiser(study.model, {});
  ScorePolicy policy(network, 1.0);
  RewardOptions reward_options;
  reward_options.kind = {"linear", "quadratic"};
  reward_options.vector = study.reward.linear;
  reward_options.strength = study.reward.strength;
  reward_options.center = study.reward.center;
  const auto reward = make_reward(reward_options, network->sample_shape());

  GridOptions grid;
  grid.kind = "quadratic";
  grid.num_steps = 150; // the variance of DDIM's chain is 4 % low at 150
  const StepTable table = make_step_table(network->schedule(), make_grid(network->schedule(), grid), {});
  const auto actions = action_steps(table, "transition", {});

  const long epochs = 40, samples = 2 * options.samples;
  AlgorithmOptions algorithm;
  algorithm.kl_weight = study.kl_weight;
  TrainOptions train;
  train.minibatch_size = samples / 8;
  train.micro_batch_size = samples / 8;
  train.adam_weight_decay = train.max_grad_norm = train.adv_clip_max = 0;
  train.adam_beta2 = 0.99;
  train.num_times = 30;
  ValueOptions value;
  value.c_out = study.c_out;
  value.learning_rate = 5e-3;
  value.steps_per_epoch = study.c_out == "none" ? 0 : 32;
  value.batch_size = samples / 8 * train.num_times;
  const PromptStatOptions prompt_stats;
  const double updates = static_cast<double>(epochs * 8);
  Ctrl ctrl({policy,
             reward,
             algorithm,
             train,
             value,
             prompt_stats,
             {study.learning_rate, "cosine", 0, updates},
             ranks,
             options.seed,
             true});

  const auto roll_out = [&](long count, std::uint32_t epoch) {
    const Shard shard{count, samples / 8, 0, count};
    Trajectories batch = collect(policy, table, actions, shard, torch::full({count}, -1, torch::kInt64),
                                 {options.seed, epoch});
    torch::NoGradGuard no_grad;
    batch.reward = (*reward)(batch.final_state(), batch.prompt).to(torch::kFloat64);
    return batch;
  };
  for (std::uint32_t epoch = 0; epoch < static_cast<std::uint32_t>(epochs); ++epoch) {
    Trajectories batch = roll_out(samples, epoch);
    ctrl.learn(batch);
  }
  Trajectories fresh = roll_out(4 * samples, 1000);
  fresh.times = all_times(table.size(), fresh.samples());
  attach_pretrained(fresh, policy, samples / 8);
  if (value.steps_per_epoch > 0) {
    algorithm.advantage = "increment";
    attach_advantage(fresh, policy, *ctrl.value_function(), algorithm, samples / 8);
  }
  return {fresh.final_state().to(torch::kFloat64).clone(), fresh.reward, integrate(fresh, fresh.kl_step),
          fresh.advantage};
}

MeanError statistics(const at::Tensor& values) {
  const auto host = values.contiguous();
  return mean_and_error({host.data_ptr<double>(), host.data_ptr<double>() + host.numel()});
}

/// A Monte Carlo mean that may also be off by the tolerance: discretisation, and the end of training.
CheckRow within(const std::string& name, const MeanError& estimate, double exact, double tolerance) {
  return {name, estimate.mean, exact, std::hypot(estimate.standard_error, tolerance / 4), 0};
}

} // namespace

CheckRows fine_tuning_checks(const VerifyOptions& options) {
  CheckRows rows;
  for (const Study& study : studies()) {
    const GaussianMixture data = make_mixture(study.model),
                          tilted = data.tilted(study.reward, study.kl_weight);
    const Outcome outcome = fine_tune(study, options);
    const std::string prefix = "fine-tuned " + study.name + ": ";
    const double gain = tilted.mean_reward(study.reward) - data.mean_reward(study.reward);
    const double kl = data.optimal_kl(study.reward, study.kl_weight);
    const double objective = data.optimal_objective(study.reward, study.kl_weight);
    rows.push_back(within(prefix + "E RM", statistics(outcome.rewards), tilted.mean_reward(study.reward),
                          study.tolerance * gain));
    rows.push_back(within(prefix + "path KL", statistics(outcome.kl), kl, study.tolerance * kl));
    rows.push_back(within(prefix + "E RM - lambda KL",
                          statistics(outcome.rewards - study.kl_weight * outcome.kl), objective,
                          study.tolerance * gain));
    if (outcome.rate.defined()) { // E_pi q = 0 on the policy's own states (G7), up to the fit of V
      const auto parts = outcome.rate.chunk(3);
      for (std::size_t part = 0; part < parts.size(); ++part)
        rows.push_back(within(fmt::format("{}E q, third {} of the steps", prefix, part + 1),
                              statistics(parts[part].sum(0)), 0, study.tolerance * gain));
    }
    const Point mean = tilted.mean();
    const auto covariance = tilted.covariance();
    const auto centred = outcome.states - outcome.states.mean(0);
    for (std::size_t i = 0; i < mean.size(); ++i) {
      const auto a = static_cast<long>(i);
      rows.push_back(within(fmt::format("{}mean {}", prefix, i), statistics(outcome.states.select(1, a)),
                            mean[i], study.tolerance * std::sqrt(covariance[i][i])));
      for (std::size_t j = 0; j <= i; ++j) {
        const auto product = centred.select(1, a) * centred.select(1, static_cast<long>(j));
        rows.push_back(within(fmt::format("{}covariance {} {}", prefix, i, j), statistics(product),
                              covariance[i][j],
                              study.tolerance * std::sqrt(covariance[i][i] * covariance[j][j])));
      }
    }
  }
  return rows;
}

} // namespace scoreact::verification
