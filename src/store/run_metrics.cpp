#include "store/run_metrics.hpp"

namespace scoreact {

const std::vector<MetricInfo>& run_metrics() {
  static const std::vector<MetricInfo> kMetrics{
      {"epoch", "1", "number of the epoch, from 1"},
      {"samples_total", "1", "trajectories collected since the start, all ranks together"},
      {"network_evaluations", "1",
       "score network evaluations since the start, all ranks together, samples times passes"},
      {"wall_time", "s", "time since the start of the run, restarts left out"},
      {"epoch_time", "s", "time of this epoch"},
      {"rollout_time", "s", "time spent on drawing trajectories and rewards"},
      {"value_time", "s", "time spent on fitting the value function"},
      {"update_time", "s", "time spent on policy updates"},
      {"reward_mean", "reward", "mean reward of the epoch's samples"},
      {"reward_std", "reward", "standard deviation of the reward over the epoch's samples"},
      {"reward_stderr", "reward", "standard error of reward_mean"},
      {"kl_path", "nat",
       "mean path KL between policy and pretrained process, Girsanov (docs/mathematics.md section 4)"},
      {"kl_chain", "nat", "mean KL between the discrete chains (docs/mathematics.md section 4)"},
      {"value_mse", "reward^2", "mean squared error of the value function on the epoch's samples"},
      {"advantage_std", "reward", "standard deviation of the advantage before normalisation"},
      {"ratio_first_max_deviation", "1",
       "largest |ratio - 1| in the first pass over the data, before any update"},
      {"clip_fraction", "1", "share of likelihood ratios that were clipped"},
      {"policy_kl", "nat",
       "KL of a trajectory from the policy that rolled out to the updated one, at the last update"},
      {"grad_norm", "1", "mean norm of the policy gradient before clipping"},
      {"learning_rate", "1", "learning rate of the policy in the epoch's last update"}};
  return kMetrics;
}

const std::vector<MetricInfo>& run_resources() {
  static const std::vector<MetricInfo> kResources{
      {"host_memory_peak", "byte", "largest resident memory of rank 0 since it was started"},
      {"device_memory_peak", "byte",
       "largest memory that LibTorch held on rank 0's GPU since it was started"},
      {"restarts", "1", "times that the run was continued from a checkpoint"},
      {"ranks", "1", "processes that took part in the epoch"},
      {"checkpoint_time", "s", "time spent on writing checkpoints after the epoch before"},
      {"trajectory_time", "s",
       "time spent on the trajectory file of the epoch before, its means included; 0 without one"},
      {"evaluation_time", "s", "time spent on evaluating the policy after the epoch before; 0 without it"},
      {"communication_time", "s",
       "time of the epoch spent in collectives, waiting for other ranks included; mean over the ranks"}};
  return kResources;
}

} // namespace scoreact
