#pragma once
/// Deck sections [prompts], [algorithm], [train], [value] and [per_prompt_stat_tracking].
#include <string>
#include <vector>

namespace scoreact {

struct PromptOptions {
  std::string file = "";              ///< text file, one prompt a line
  std::vector<std::string> list = {}; ///< prompts in the deck itself
  std::string negative = "";          ///< what guidance leads away from
  std::vector<long> classes = {}; ///< class labels of a class-conditional model; empty = all of the model's
  std::string cycle = "random";   ///< random | round_robin
};

/// s_a of the Gaussian score policy (action = score): constant + proportion of the score's own scale 1/sigma.
struct ExplorationOptions {
  double constant = 1.0; ///< s_a = constant * sigma(tau)^power
  double power = 0.0;
};

struct AlgorithmOptions {
  std::string name = "ctrl";          ///< ctrl | ddpo
  std::string action = "transition";  ///< score (the paper, eq. 13) | transition (the released code and DDPO)
  ExplorationOptions exploration;     ///< used by action = score
  std::string advantage = "gradient"; ///< finite_difference (paper) | gradient | increment (released code)
  std::string update =
      "pathwise"; ///< clipped (eq. 27) | policy_gradient (eq. 23) | pathwise (its exact mean over actions)
  std::string baseline = "centred"; ///< none | centred | antithetic
  std::string standardise =
      "global";           ///< of the advantage: none | per_time (released code) | global (over all times too)
  double fd_scale = 3e-3; ///< h of the finite difference, in units of g^2 |a|; our choice (digits study)
  double kl_weight = 0.1; ///< lambda, the paper's beta: nats are worth this much reward
  double policy_kl_limit =
      0.0; ///< stop the inner updates of an epoch above this KL(new || old), nats; 0 = no limit
};

struct TrainOptions {
  long minibatch_size = 64;    ///< samples an optimiser update, all ranks together
  long micro_batch_size = 32;  ///< samples of one forward and backward pass, each with all its trained times
  double learning_rate = 3e-4; ///< ddpo-pytorch
  std::string lr_schedule = "constant"; ///< constant | cosine (to 0 at the last epoch)
  long warmup_steps = 0;                ///< optimiser updates of linear warm-up
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_weight_decay = 1e-4; ///< ddpo-pytorch
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;     ///< ddpo-pytorch; 0 = no clipping
  long num_inner_epochs = 1;      ///< passes over a rollout
  long num_times = 0;             ///< K of the N grid times trained a sample; 0 = timestep_fraction decides
  double timestep_fraction = 1.0; ///< ddpo-pytorch
  double clip_range = 0.25;       ///< of the true likelihood ratio, scaled by 1/d in log space
  double clip_range_mean = 0.0;   ///< the peers' clip of the mean-over-dimensions ratio; 0 = use clip_range
  double adv_clip_max = 5.0;      ///< ddpo-pytorch; 0 = no clipping
  double ema_decay = 0.0;         ///< EMA of the policy's weights, which is written and evaluated; 0 = none
};

struct ValueOptions {
  std::string network =
      "small"; ///< the trained branch: small | reward_copy (released code, for ImageReward) | auto
  std::string predictor = "x0hat"; ///< input of the frozen reward branch: x0hat | x (Table 1)
  std::string corrector = "x";     ///< input of the trained branch: x | x0hat
  std::string c_out = "sin";   ///< sin | one_minus_cos | linear | none; c_skip = cos(pi tau / 2); 1 - tau; 1
  double learning_rate = 1e-3; ///< our choice at digit size; 1e-7 for Stable Diffusion (released code)
  long batch_size = 256;       ///< (sample, time) pairs an optimiser update, all ranks together
  long steps_per_epoch = 8;    ///< optimiser updates an epoch
  long pretrain_epochs = 0;    ///< rollouts of the unchanged policy on which the value is fitted first
  bool include_kl =
      true; ///< Monte Carlo target with the running cost (eq. 18); the released code leaves it out
  double frozen_fraction = 0.7; ///< of the trainable copy's layers (Stable Diffusion)
  long hidden = 64;             ///< width of the trained branch of small models
};

struct PromptStatOptions {
  long buffer_size = 0; ///< rewards remembered a prompt; ddpo-pytorch 16; 0 = batch statistics
  long min_count = 16;  ///< ddpo-pytorch
};

} // namespace scoreact
