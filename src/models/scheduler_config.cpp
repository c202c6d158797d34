#include "models/scheduler_config.hpp"

#include "models/json_file.hpp"

#include <filesystem>
#include <vector>

namespace scoreact {
namespace {

std::vector<double> betas_of(const Schedule& schedule) {
  std::vector<double> betas;
  double previous = 1.0;
  for (const double abar : schedule.alphas_cumprod()) {
    betas.push_back(1.0 - abar / previous);
    previous = abar;
  }
  return betas;
}

Schedule from_betas(const std::vector<double>& betas) {
  std::vector<double> abar;
  double product = 1.0;
  for (const double beta : betas) {
    product *= 1.0 - beta;
    abar.push_back(product);
  }
  return Schedule::from_alphas_cumprod(std::move(abar));
}

Schedule named_schedule(const std::string& kind, long size, double beta_start, double beta_end,
                        const std::string& origin) {
  if (kind == "linear") {
    return Schedule::linear(size, beta_start, beta_end);
  }
  if (kind == "scaled_linear") {
    return Schedule::scaled_linear(size, beta_start, beta_end);
  }
  SCOREACT_REQUIRE(kind == "squaredcos_cap_v2", ExitCode::data,
                   "{}: beta_schedule: expected linear, scaled_linear or squaredcos_cap_v2, found \"{}\"",
                   origin, kind);
  return Schedule::cosine(size);
}

const char* name_of_prediction(Prediction prediction) {
  switch (prediction) {
  case Prediction::epsilon:
    return "epsilon";
  case Prediction::sample:
    return "sample";
  case Prediction::v_prediction:
    return "v_prediction";
  case Prediction::score:
    break;
  }
  return "score";
}

} // namespace

SchedulerConfig scheduler_from_options(const ScheduleOptions& options) {
  const std::string kind = options.kind == "cosine" ? "squaredcos_cap_v2" : options.kind;
  SCOREACT_REQUIRE(kind != "from_model", ExitCode::data,
                   "schedule.kind = from_model: there is no model to take the schedule from; "
                   "expected linear, scaled_linear or cosine");
  return {.class_name = {},
          .kind = kind,
          .beta_start = options.beta_start,
          .beta_end = options.beta_end,
          .schedule = named_schedule(kind, options.num_train_timesteps, options.beta_start, options.beta_end,
                                     "schedule.kind"),
          .timestep_spacing = {}};
}

SchedulerConfig read_scheduler_config(const std::string& directory) {
  const std::filesystem::path nested =
      std::filesystem::path(directory) / "scheduler" / "scheduler_config.json";
  const std::filesystem::path flat = std::filesystem::path(directory) / "scheduler_config.json";
  const std::string path = (std::filesystem::exists(nested) ? nested : flat).string();
  const nlohmann::json json = read_json(path);
  // Defaults of diffusers' DDPMScheduler and DDIMScheduler.
  const double beta_start = json_value(json, "beta_start", 1e-4, path);
  const double beta_end = json_value(json, "beta_end", 0.02, path);
  const auto trained = json_value<std::vector<double>>(json, "trained_betas", {}, path);
  const auto prediction = json_value<std::string>(json, "prediction_type", "epsilon", path);
  SCOREACT_REQUIRE(!json_value(json, "rescale_betas_zero_snr", false, path), ExitCode::data,
                   "{}: rescale_betas_zero_snr is not supported: a score does not exist at abar = 0", path);
  SCOREACT_REQUIRE(!json_value(json, "thresholding", false, path), ExitCode::data,
                   "{}: thresholding is not supported", path);
  const std::string kind =
      trained.empty() ? json_value<std::string>(json, "beta_schedule", "linear", path) : "trained_betas";
  const long size = json_value<long>(json, "num_train_timesteps", 1000, path);
  constexpr long longest = 1'000'000; // as in decks
  SCOREACT_REQUIRE(size > 1 && size <= longest, ExitCode::data,
                   "{}: num_train_timesteps must be at least 2 and at most {}, found {}", path, longest,
                   size);
  const long offset = json_value<long>(json, "steps_offset", 0, path);
  SCOREACT_REQUIRE(offset >= 0 && offset < size, ExitCode::data,
                   "{}: steps_offset must lie in 0 .. num_train_timesteps - 1, found {}", path, offset);
  return {.class_name = json_value<std::string>(json, "_class_name", "", path),
          .kind = kind,
          .beta_start = beta_start,
          .beta_end = beta_end,
          .schedule =
              trained.empty() ? named_schedule(kind, size, beta_start, beta_end, path) : from_betas(trained),
          .prediction = prediction_from_name(prediction),
          .clip_sample = json_value(json, "clip_sample", true, path),
          .set_alpha_to_one = json_value(json, "set_alpha_to_one", true, path),
          .steps_offset = offset,
          .skip_prk_steps = json_value(json, "skip_prk_steps", false, path),
          .timestep_spacing = json_value<std::string>(json, "timestep_spacing", "", path)};
}

SchedulerConfig scheduler_of(const std::string& directory, const ScheduleOptions& options) {
  if (options.kind == "from_model") {
    return read_scheduler_config(directory);
  }
  return scheduler_from_options(options);
}

void write_scheduler_config(const SchedulerConfig& config, const std::string& directory) {
  nlohmann::json json;
  json["_class_name"] = "DDIMScheduler";
  json["_diffusers_version"] = "0.30.0";
  json["num_train_timesteps"] = config.schedule.size();
  json["beta_start"] = config.beta_start;
  json["beta_end"] = config.beta_end;
  if (config.kind == "trained_betas") {
    json["beta_schedule"] = "linear";
    json["trained_betas"] = betas_of(config.schedule);
  } else {
    json["beta_schedule"] = config.kind;
    json["trained_betas"] = nullptr;
  }
  json["clip_sample"] = config.clip_sample;
  json["set_alpha_to_one"] = config.set_alpha_to_one;
  json["steps_offset"] = config.steps_offset;
  json["prediction_type"] = name_of_prediction(config.prediction);
  json["timestep_spacing"] = "leading";
  json["thresholding"] = false;
  json["rescale_betas_zero_snr"] = false;
  write_json((std::filesystem::path(directory) / "scheduler_config.json").string(), json);
}

} // namespace scoreact
