#pragma once
/// Deck sections [schedule] and [sample]: noise schedule, solver, grid and size of a rollout.
#include <string>

namespace scoreact {

struct ScheduleOptions {
  std::string kind = "from_model"; ///< from_model | linear | scaled_linear | cosine
  double beta_start = 0.00085;     ///< SD1.5 scheduler_config.json
  double beta_end = 0.012;         ///< SD1.5 scheduler_config.json
  long num_train_timesteps = 1000;
};

struct SampleOptions {
  std::string solver = "ddim"; ///< ddim | ddpm | euler_maruyama | heun_sde | dpmpp_2m | dpmpp_2m_sde
  std::string grid =
      "leading"; ///< leading | trailing | linspace | uniform | quadratic | log_snr | karras | stratified
  long num_steps = 50;          ///< ddpo-pytorch sample.num_steps
  double eta = 1.0;             ///< chi of the backward process; ddpo-pytorch sample.eta
  double guidance_scale = 1.0;  ///< classifier-free guidance, 1 = none
  long samples_per_epoch = 256; ///< all ranks together
  long micro_batch_size = 64;   ///< samples in one network call on one rank
};

} // namespace scoreact
