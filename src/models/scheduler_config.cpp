#include "models/scheduler_config.hpp"

#include "diffusion/pndm.hpp"
#include "models/json_file.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
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

/// A key of one kind of scheduler, with the values for which scoreact gives diffusers' numbers. The first one
/// is the default of diffusers' class.
struct ComputedValues {
  const char* scheduler;
  const char* key;
  std::vector<nlohmann::json> values;
};

const std::vector<ComputedValues>& computed_values() {
  static const std::vector<ComputedValues> all = {
      {"ddpm", "variance_type", {"fixed_small", "fixed_small_log", "fixed_large"}},
      {"dpmpp", "algorithm_type", {"dpmsolver++", "deis", "sde-dpmsolver++"}}, // deis means dpmsolver++
      {"dpmpp", "solver_order", {2}},
      {"dpmpp", "solver_type", {"midpoint", "logrho", "bh1", "bh2"}}, // all mean midpoint
      {"dpmpp", "final_sigmas_type", {"zero", "sigma_min"}},
      {"dpmpp", "lambda_min_clipped", {nullptr}}, // -Infinity, which is read as null
      {"dpmpp", "variance_type", {nullptr}},
      {"dpmpp", "use_karras_sigmas", {false}},
      {"dpmpp", "use_exponential_sigmas", {false}},
      {"dpmpp", "use_beta_sigmas", {false}},
      {"dpmpp", "use_lu_lambdas", {false}},
      {"dpmpp", "use_flow_sigmas", {false}},
      {"dpmpp", "use_dynamic_shifting", {false}},
  };
  return all;
}

std::vector<UncomputedSetting> uncomputed_settings(const nlohmann::json& json) {
  std::vector<UncomputedSetting> found;
  for (const auto& [scheduler, key, values] : computed_values()) {
    const auto setting = json.find(key);
    if (setting == json.end() || setting->is_null() ||
        std::find(values.begin(), values.end(), *setting) != values.end())
      continue;
    std::vector<std::string> expected;
    for (const nlohmann::json& value : values)
      expected.push_back(json_excerpt(value));
    found.push_back({scheduler, fmt::format("{} = {} (expected {})", key, json_excerpt(*setting),
                                            fmt::join(expected, " or "))});
  }
  return found;
}

/// diffusers' classes, and what they are called here.
constexpr std::array<std::pair<const char*, const char*>, 4> kSolverOfClass = {
    {{"PNDMScheduler", kPndm},
     {"DDIMScheduler", "ddim"},
     {"DDPMScheduler", "ddpm"},
     {"DPMSolverMultistepScheduler", "dpmpp_2m"}}};

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

namespace {

std::string scheduler_file(const std::string& directory) {
  const std::filesystem::path nested =
      std::filesystem::path(directory) / "scheduler" / "scheduler_config.json";
  const std::filesystem::path flat = std::filesystem::path(directory) / "scheduler_config.json";
  return (std::filesystem::exists(nested) ? nested : flat).string();
}

} // namespace

nlohmann::json scheduler_json(const std::string& directory) { return read_json(scheduler_file(directory)); }

SchedulerConfig read_scheduler_config(const std::string& directory) {
  return scheduler_from_json(scheduler_json(directory), scheduler_file(directory));
}

SchedulerConfig scheduler_from_json(const nlohmann::json& json, const std::string& path) {
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
  const auto text = [&](const char* key) { return json_value<std::string>(json, key, "", path); };
  return {.class_name = text("_class_name"),
          .origin = path,
          .kind = kind,
          .beta_start = beta_start,
          .beta_end = beta_end,
          .schedule =
              trained.empty() ? named_schedule(kind, size, beta_start, beta_end, path) : from_betas(trained),
          .prediction = prediction_from_name(prediction),
          .clip_sample = json_value(json, "clip_sample", true, path),
          .clip_sample_range = json_value(json, "clip_sample_range", 1.0, path),
          .set_alpha_to_one = json_optional<bool>(json, "set_alpha_to_one", std::nullopt, path),
          .steps_offset = offset,
          .skip_prk_steps = json_value(json, "skip_prk_steps", false, path),
          .timestep_spacing = text("timestep_spacing"),
          .large_variance = text("variance_type") == "fixed_large",
          .sde = text("algorithm_type") == "sde-dpmsolver++",
          .end_at_sigma_min = text("final_sigmas_type") == "sigma_min",
          .lower_order_final = json_value(json, "lower_order_final", true, path),
          .euler_at_final = json_value(json, "euler_at_final", false, path),
          .uncomputed = uncomputed_settings(json)};
}

SchedulerConfig for_stable_diffusion(SchedulerConfig config) {
  config.steps_offset = 1;
  config.clip_sample = false;
  return config;
}

std::string solver_of(const SchedulerConfig& config) {
  std::vector<std::string> known;
  for (const auto& [name, solver] : kSolverOfClass) {
    if (config.class_name == name)
      return config.sde && std::string(solver) == "dpmpp_2m" ? "dpmpp_2m_sde" : solver;
    known.emplace_back(name);
  }
  SCOREACT_FAIL(ExitCode::data,
                "{}: _class_name: expected one of {}, found {}; another scheduler is taken with --solver",
                config.origin, fmt::join(known, ", "),
                config.class_name.empty() ? "none" : '"' + config.class_name + '"');
}

void require_computed(const SchedulerConfig& config, const std::string& solver) {
  const std::string scheduler = solver.starts_with("dpmpp") ? "dpmpp" : solver;
  std::vector<std::string> found;
  for (const UncomputedSetting& setting : config.uncomputed)
    if (setting.scheduler == scheduler)
      found.push_back(setting.text);
  SCOREACT_REQUIRE(found.empty(), ExitCode::data, "{}: {} does not compute {}; change the file or --solver",
                   config.origin, solver, fmt::join(found, ", "));
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
  json["set_alpha_to_one"] = config.set_alpha_to_one.value_or(true);
  json["steps_offset"] = config.steps_offset;
  json["prediction_type"] = name_of_prediction(config.prediction);
  json["timestep_spacing"] = "leading";
  json["thresholding"] = false;
  json["rescale_betas_zero_snr"] = false;
  write_json((std::filesystem::path(directory) / "scheduler_config.json").string(), json);
}

} // namespace scoreact
