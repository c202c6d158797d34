#pragma once
/// scheduler_config.json of a Hugging Face model directory: the noise schedule that a network was trained
/// with and what its output means. Also written, as a DDIMScheduler, so that diffusers runs what scoreact has
/// trained.
#include "diffusion/diffusion_options.hpp"
#include "diffusion/prediction.hpp"
#include "diffusion/schedule.hpp"

#include <string>

namespace scoreact {

struct SchedulerConfig {
  std::string class_name;             ///< diffusers' scheduler; empty if none was read
  std::string kind = "scaled_linear"; ///< linear | scaled_linear | squaredcos_cap_v2 | trained_betas
  double beta_start = 0.00085, beta_end = 0.012; ///< SD1.5
  Schedule schedule;
  Prediction prediction = Prediction::epsilon;
  bool clip_sample =
      false; ///< diffusers clips x0hat to [-1, 1] in its samplers; kept for the file, not used here
  bool set_alpha_to_one = false; ///< last step ends at abar = 1 instead of abar_0
  long steps_offset = 1;         ///< of the "leading" grid
  bool skip_prk_steps = false;   ///< PNDM begins without Runge-Kutta steps
  std::string timestep_spacing;  ///< leading | trailing | linspace; empty: the file does not tell
};

/// From a deck's [schedule] with kind linear | scaled_linear | cosine; eps prediction. Throws Error{data}
/// otherwise.
SchedulerConfig scheduler_from_options(const ScheduleOptions&);
/// Reads `directory`/scheduler/scheduler_config.json or `directory`/scheduler_config.json; DDPMScheduler's
/// defaults for missing keys. Throws Error{missing_input | data}.
SchedulerConfig read_scheduler_config(const std::string& directory);
/// As read_scheduler_config, unless `options` names a schedule of its own.
SchedulerConfig scheduler_of(const std::string& directory, const ScheduleOptions& options);
/// Writes `directory`/scheduler_config.json. Throws Error{io}.
void write_scheduler_config(const SchedulerConfig&, const std::string& directory);

} // namespace scoreact
