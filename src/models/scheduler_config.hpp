#pragma once
/// scheduler_config.json of a Hugging Face model directory: the noise schedule that a network was trained
/// with and what its output means. Also written, as a DDIMScheduler, so that diffusers runs what scoreact has
/// trained.
#include "diffusion/diffusion_options.hpp"
#include "diffusion/prediction.hpp"
#include "diffusion/schedule.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace scoreact {

/// A setting of a scheduler file that changes what diffusers draws with one kind of scheduler, and that
/// scoreact does not compute.
struct UncomputedSetting {
  std::string scheduler; ///< ddpm | dpmpp
  std::string text;      ///< "key = value (expected ...)"
};

struct SchedulerConfig {
  std::string class_name;             ///< diffusers' scheduler; empty if none was read
  std::string origin = {};            ///< the file, for messages; empty if none was read
  std::string kind = "scaled_linear"; ///< linear | scaled_linear | squaredcos_cap_v2 | trained_betas
  double beta_start = 0.00085, beta_end = 0.012; ///< SD1.5
  Schedule schedule;
  Prediction prediction = Prediction::epsilon;
  /// diffusers clips x0hat to [-clip_sample_range, clip_sample_range] in DDIM and DDPM; not a step of the
  /// table, only draw_clipped does it
  bool clip_sample = false;
  double clip_sample_range = 1;
  /// The last step ends at abar = 1 instead of abar_0; unset: the file does not tell, which means yes to
  /// DDIMScheduler and no to PNDMScheduler.
  std::optional<bool> set_alpha_to_one = false;
  long steps_offset = 1;         ///< of the "leading" grid
  bool skip_prk_steps = false;   ///< PNDM begins without Runge-Kutta steps
  std::string timestep_spacing;  ///< leading | trailing | linspace; empty: the file does not tell
  bool large_variance = false;   ///< DDPM: variance_type "fixed_large" instead of "fixed_small"
  bool sde = false;              ///< DPM-Solver++: algorithm_type "sde-dpmsolver++"
  bool end_at_sigma_min = false; ///< DPM-Solver++: final_sigmas_type "sigma_min"
  bool lower_order_final = true; ///< DPM-Solver++
  bool euler_at_final = false;   ///< DPM-Solver++
  std::vector<UncomputedSetting> uncomputed = {}; ///< what else the file asks for
};

/// From a deck's [schedule] with kind linear | scaled_linear | cosine; eps prediction. Throws Error{data}
/// otherwise.
SchedulerConfig scheduler_from_options(const ScheduleOptions&);
/// Reads `directory`/scheduler/scheduler_config.json or `directory`/scheduler_config.json; DDPMScheduler's
/// defaults for missing keys. Throws Error{missing_input | data}.
SchedulerConfig read_scheduler_config(const std::string& directory);
/// The same from its content; `origin` is what messages name. Throws Error{data}.
SchedulerConfig scheduler_from_json(const nlohmann::json&, const std::string& origin);
/// The JSON that read_scheduler_config reads. Throws Error{missing_input | data}.
nlohmann::json scheduler_json(const std::string& directory);

/// What diffusers' StableDiffusionPipeline makes of any file: steps_offset = 1 and no clip_sample, whatever
/// it says or leaves out.
SchedulerConfig for_stable_diffusion(SchedulerConfig);

/// The solver that the file's class is: pndm | ddim | ddpm | dpmpp_2m | dpmpp_2m_sde. Throws Error{data} for
/// a class that scoreact does not compute.
std::string solver_of(const SchedulerConfig&);
/// Throws one Error{data} with all settings that diffusers' scheduler of `solver` would obey and scoreact
/// does not compute.
void require_computed(const SchedulerConfig&, const std::string& solver);
/// As read_scheduler_config, unless `options` names a schedule of its own.
SchedulerConfig scheduler_of(const std::string& directory, const ScheduleOptions& options);
/// Writes `directory`/scheduler_config.json. Throws Error{io}.
void write_scheduler_config(const SchedulerConfig&, const std::string& directory);

} // namespace scoreact
