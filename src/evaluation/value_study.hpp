#pragma once
/// Which value design predicts the return best (paper Table 1 and Figure 2)? Every design of eq. 20 is fitted
/// to the same trajectories of the unchanged model in the same order of minibatches, and measured on samples
/// that none was fitted to. Running cost is zero on these trajectories, so the return is RM(X_T).
#include "parallel/communicator.hpp"
#include "rewards/reward.hpp"
#include "rl/prompts.hpp"
#include "rl/rl_options.hpp"
#include "rl/rollout.hpp"

#include <memory>
#include <string>
#include <vector>

namespace scoreact {

/// One design; predictor, corrector and c_out as in ValueOptions, all empty for the constant.
struct ValueDesignOptions {
  std::string name, predictor, corrector, c_out;
};
/// The seven of Table 1 (with the linear pair of the released configurations) and the constant.
std::vector<ValueDesignOptions> value_designs();

/// Rows (sample, noise time) at which V is fitted or measured, on the networks' device. The frozen reward
/// branch is in it for both predictors, so that it is computed once for all designs.
struct StudyRows {
  at::Tensor x, x0hat;               ///< [R, ...] fp32
  at::Tensor tau;                    ///< [R] fp32
  at::Tensor prompt;                 ///< [R] int64
  at::Tensor target;                 ///< [R] fp32, RM(X_T) of the row's trajectory
  at::Tensor reward_x, reward_x0hat; ///< [R] fp32, RM(x) and RM(x0hat)
  at::Tensor time;                   ///< [R] int64, number of the row's time in StudyData::tau; test rows
  long size() const { return target.size(0); }
};

struct StudyData {
  StudyRows train, test;
  std::vector<double> tau; ///< [T] noise times of the test rows, from noise to data
  long train_samples = 0, test_samples = 0;
};

struct StudySize {
  long samples = 4096;     ///< trajectories in all
  long test_samples = 819; ///< of them for testing: the last ones
  long train_times = 10;   ///< random times of a training trajectory, one in each stratum of the grid
  long test_times = 15;    ///< times of a test trajectory, the same for all: evenly spread over the grid
  long micro_batch = 64;
};

/// Draws the trajectories, prompts in turn, noise keyed by `key`; nothing but the chosen rows is kept.
StudyData collect_study_data(ScorePolicy&, Reward&, const Prompts&, const StepTable&, const StudySize&,
                             const RolloutKey& key, const at::Device&);

struct DesignResult {
  ValueDesignOptions design;
  std::vector<double> train_mse, test_mse; ///< [passes], reward units squared, after each pass
  std::vector<double> per_time;            ///< [T], test MSE at each of StudyData::tau after the last pass
};

struct StudyFit {
  ValueOptions value; ///< learning rate, batch size and width; the design replaces the rest
  long passes = 20;   ///< over the training rows
  std::uint64_t seed = 42;
};

/// Fits one design. The reward is not evaluated: its values stand in the rows.
DesignResult fit_design(const ValueDesignOptions&, const StudyData&, std::shared_ptr<Reward>, const StudyFit&,
                        long num_prompts, const Communicator&);

/// Mean of per_time over the noise-time third 0 (tau <= 1/3), 1 or 2; NaN if no time lies there.
double mean_of_third(const DesignResult&, const std::vector<double>& tau, int third);

} // namespace scoreact
