#include "verification/estimator_checks.hpp"

#include "diffusion/grid.hpp"
#include "error/error.hpp"
#include "kernels/normal_noise.hpp"
#include "rewards/reward_options.hpp"
#include "rl/ctrl.hpp"
#include "rl/rollout.hpp"
#include "verification/expected_gradient.hpp"
#include "verification/shifted_gaussian.hpp"
#include "verification/worked_example.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace scoreact::verification {
namespace {

/// One rollout and everything that is asked of it.
class ChainUnderTest {
 public:
  ChainUnderTest(GradientProblem problem, const VerifyOptions& options, std::uint32_t epoch, std::string name)
      : problem_(std::move(problem)), name_(std::move(name)), ranks_(MPI_COMM_SELF),
        samples_(options.samples),
        network_(std::make_shared<ShiftedGaussian>(problem_.mean, problem_.std, problem_.direction,
                                                   problem_.phi, problem_.schedule, samples_)),
        policy_(network_, 1.0) {
    RewardOptions reward;
    reward.kind = {"linear", "quadratic"};
    reward.vector = problem_.reward.linear;
    reward.strength = problem_.reward.strength;
    reward.center = problem_.reward.center;
    reward_ = make_reward(reward, network_->sample_shape());
    network_->set_theta(problem_.theta);
    const Shard shard{samples_, samples_, 0, samples_};
    batch_ = collect(policy_, problem_.table, problem_.actions, shard, torch::arange(samples_),
                     {options.seed, epoch});
    torch::NoGradGuard no_grad;
    batch_.reward = (*reward_)(batch_.final_state(), batch_.prompt).to(torch::kFloat64);
  }

  /// Learns with a rate of 0 and compares the gradient that the optimiser was given, sample by sample.
  void check_gradient(const Estimator& estimator, long num_times, CheckRows& rows) {
    const LearnReport report = learn(estimator, num_times);
    const auto gradient = -update_gradient_ * static_cast<double>(samples_);
    const MeanError estimate = statistics(gradient);
    const Expectation exact = expected_gradient(problem_, estimator);
    const std::string how = estimator.update == "pathwise"
                                ? estimator.update
                                : estimator.update + " " + estimator.advantage +
                                      (estimator.advantage == "increment" ? "" : " " + estimator.baseline);
    const std::string subset =
        num_times > 0 ? fmt::format(" {} of {} times", num_times, problem_.table.size()) : "";
    rows.push_back({"dJ/dtheta: " + name_ + ": " + how + subset, estimate.mean, exact.value,
                    estimate.standard_error, exact.scale});
    ratio_deviation_ = std::max(ratio_deviation_, report.update.ratio_first_max_deviation);
  }

  /// E_a[qbar] = 0 for any V (G7), on the trajectories' own actions.
  void check_centred_advantage(double kl_weight, CheckRows& rows) {
    learn({"gradient", "policy_gradient", "centred", 3e-3, kl_weight}, 0);
    const MeanError mean = statistics(batch_.advantage.sum(0));
    rows.push_back({"E qbar: " + name_, mean.mean, 0, mean.standard_error, 0});
  }

  /// E RM(x_K), both path KLs and the first ratio; the KLs need a learn() before.
  void check_rollout(CheckRows& rows) {
    const AffinePolicy policy = policy_of(problem_), pretrained = pretrained_of(problem_);
    const ChainLaw law = law_of(problem_);
    const MeanError reward = statistics(batch_.reward);
    const double exact_reward = expected_reward(law.state.back(), problem_.reward);
    rows.push_back(
        {"E RM: " + name_, reward.mean, exact_reward, reward.standard_error, std::abs(exact_reward)});
    const auto compare = [&](const char* what, const std::vector<double>& estimates, PathKl kind) {
      const auto terms = kl_steps(problem_.table, policy, pretrained, law, kind);
      const double exact = std::accumulate(terms.begin(), terms.end(), 0.0);
      if (std::isfinite(exact)) { // chi = 0 has no path KL, a step without noise no chain KL
        const MeanError estimate = mean_and_error(estimates);
        rows.push_back(
            {fmt::format("{}: {}", what, name_), estimate.mean, exact, estimate.standard_error, exact});
      }
    };
    compare("kl_path", kl_path_, PathKl::girsanov);
    compare("kl_chain", kl_chain_, PathKl::chain);
    rows.push_back({"first ratio - 1: " + name_, ratio_deviation_, 0, 0, 0});
  }

 private:
  static MeanError statistics(const at::Tensor& values) {
    const auto host = values.to(torch::kFloat64).contiguous();
    return mean_and_error({host.data_ptr<double>(), host.data_ptr<double>() + host.numel()});
  }

  LearnReport learn(const Estimator& estimator, long num_times) {
    AlgorithmOptions algorithm;
    algorithm.advantage = estimator.advantage;
    algorithm.update = estimator.update;
    algorithm.baseline = estimator.baseline;
    algorithm.standardise = "none";
    algorithm.fd_scale = estimator.fd_scale;
    algorithm.kl_weight = estimator.kl_weight;
    TrainOptions train;
    train.minibatch_size = train.micro_batch_size = samples_;
    train.max_grad_norm = train.adv_clip_max = train.adam_weight_decay = 0;
    train.num_times = num_times;
    ValueOptions value;
    value.steps_per_epoch = 0; // V stays c_skip RM(x0hat), which is known
    value.hidden = 4;
    const PromptStatOptions prompt_stats;
    const AlgorithmContext context{
        policy_, reward_, algorithm, train, value, prompt_stats, {0.0, "constant", 0, 1}, ranks_};
    Ctrl ctrl(context);
    LearnReport report = ctrl.learn(batch_);
    update_gradient_ = ctrl.policy_optimizer().parameters().gradient().to(torch::kFloat64).clone();
    kl_path_ = report.kl_path;
    kl_chain_ = report.kl_chain;
    return report;
  }

  GradientProblem problem_;
  std::string name_;
  Communicator ranks_;
  long samples_;
  std::shared_ptr<ShiftedGaussian> network_;
  ScorePolicy policy_;
  std::shared_ptr<Reward> reward_;
  Trajectories batch_;
  at::Tensor update_gradient_; ///< [samples] float64, of the loss
  std::vector<double> kl_path_, kl_chain_;
  double ratio_deviation_ = 0;
};

std::vector<Estimator> estimators(double kl_weight) {
  std::vector<Estimator> all = {{"gradient", "pathwise", "centred", 3e-3, kl_weight}};
  for (const char* update : {"policy_gradient", "clipped"}) {
    for (const char* advantage : {"finite_difference", "gradient"}) {
      for (const char* baseline : {"none", "centred", "antithetic"}) {
        all.push_back({advantage, update, baseline, 3e-3, kl_weight});
      }
    }
    all.push_back({"increment", update, "none", 3e-3, kl_weight});
  }
  return all;
}

struct Sampler {
  std::string solver;
  double eta;
};

std::vector<Sampler> samplers(const std::string& grid) {
  std::vector<Sampler> all;
  for (const std::string& solver : solver_names()) {
    all.push_back({solver, 1.0});
  }
  if (grid == "leading") { // the family of section 2 between the SDE and the flow
    all.push_back({"ddim", 0.6});
    all.push_back({"euler_maruyama", 0.6});
    all.push_back({"heun_sde", 0.6});
  }
  return all;
}

GridOptions grid_options(const std::string& kind, const VerifyOptions& options) {
  GridOptions grid;
  grid.kind = kind;
  grid.num_steps = options.num_steps;
  if (kind == "stratified") {
    for (long k = 0; k < options.num_steps; ++k) {
      grid.cell_uniforms.push_back(kernels::uniform_at({options.seed, 0, 0, kernels::Purpose::time}, 0,
                                                       static_cast<std::uint32_t>(k)));
    }
  }
  return grid;
}

} // namespace

CheckRows estimator_checks(const VerifyOptions& options) {
  const Schedule schedule = Schedule::linear(1000, 1e-4, 0.02);
  CheckRows rows;
  std::uint32_t epoch = 0;
  for (const std::string& grid : grid_names()) {
    for (const Sampler& sampler : samplers(grid)) {
      const StepTable table = make_step_table(schedule, make_grid(schedule, grid_options(grid, options)),
                                              {.solver = sampler.solver, .eta = sampler.eta});
      for (const char* action : {"score", "transition"}) {
        if (table.two_stage() && std::string(action) == "transition") {
          continue; // not one Gaussian; the library refuses it
        }
        const auto actions = action_steps(table, action, {0.7, 0.5});
        const bool explores =
            std::any_of(actions.begin(), actions.end(), [](const ActionStep& a) { return a.action_std > 0; });
        const double kl_weight = table.stochastic() ? kKlWeight : 0.0;
        const std::string name =
            fmt::format("{}{} {} {}", sampler.solver,
                        sampler.eta == 1 ? "" : fmt::format(" eta {}", sampler.eta), grid, action);
        ChainUnderTest chain({schedule, table, actions, kMean, kStd, kDirection, kPhi, kTheta,
                              QuadraticReward{{0.8, -0.3}, 0.6, {0.3, 0.5}}},
                             options, epoch++, name);
        for (const Estimator& estimator : estimators(kl_weight)) {
          if (explores || estimator.update == "pathwise") {
            chain.check_gradient(estimator, 0, rows);
          }
        }
        if (grid == "leading") {
          chain.check_gradient(estimators(kl_weight).front(), options.num_steps / 3, rows);
        }
        if (explores) {
          chain.check_centred_advantage(kl_weight, rows);
        }
        chain.check_rollout(rows);
        if (std::string(action) ==
            "score") { // a linear reward: V is linear, so that pathwise has no variance at all
          ChainUnderTest linear({schedule, table, actions, kMean, kStd, kDirection, kPhi, kTheta,
                                 QuadraticReward{{0.8, -0.3}, 0.0, {0.0, 0.0}}},
                                {std::min(options.samples, 64L), options.num_steps, options.seed}, epoch++,
                                name + " (linear reward)");
          linear.check_gradient(estimators(kl_weight).front(), 0, rows);
        }
      }
    }
  }
  return rows;
}

} // namespace scoreact::verification
