#include "models/analytic/analytic_denoiser.hpp"

#include "error/error.hpp"
#include "models/analytic/residual_policy.hpp"
#include "models/json_file.hpp"
#include "store/safetensors.hpp"

#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

namespace scoreact {
namespace {

/// Component-wise constants of the mixture as tensors on the device of the rows.
struct MixtureTensors {
  at::Tensor log_weights, means, variances; ///< [M], [M, d], [M], float64
};

MixtureTensors tensors_of(const GaussianMixture& mixture) {
  const long m = mixture.components(), d = mixture.dimension();
  MixtureTensors result{torch::empty({m}, torch::kFloat64), torch::empty({m, d}, torch::kFloat64),
                        torch::empty({m}, torch::kFloat64)};
  for (long c = 0; c < m; ++c) {
    const auto index = static_cast<std::size_t>(c);
    result.log_weights[c] = std::log(mixture.weights()[index]);
    result.means[c] = torch::tensor(mixture.means()[index], torch::kFloat64);
    result.variances[c] = mixture.stds()[index] * mixture.stds()[index];
  }
  return result;
}

class AnalyticDenoiser final : public Denoiser {
 public:
  AnalyticDenoiser(GaussianMixture mixture, Schedule schedule, ResidualPolicy residual)
      : mixture_(std::move(mixture)), schedule_(std::move(schedule)), residual_(std::move(residual)),
        constants_(tensors_of(mixture_)) {}

  at::Tensor predict(const at::Tensor& x, const RowTimes& times, const at::Tensor& /*prompt*/) override {
    SCOREACT_REQUIRE(
        x.dim() == 2 && x.size(1) == mixture_.dimension(), ExitCode::internal,
        "the analytic model takes rows of {} numbers, found a tensor with {} dimensions and {} elements",
        mixture_.dimension(), x.dim(), x.numel());
    const auto state = x.to(torch::kFloat64);
    const auto alpha = times.alpha.to(torch::kFloat64);
    const auto sigma = times.sigma.to(torch::kFloat64);
    return (mixture_score(state, alpha, sigma) + residual_(state, alpha, sigma)).to(torch::kFloat32);
  }
  Prediction prediction() const override { return Prediction::score; }
  std::vector<long> sample_shape() const override { return {mixture_.dimension()}; }
  const Schedule& schedule() const override { return schedule_; }
  long num_prompts() const override { return 0; }
  std::vector<std::pair<std::string, at::Tensor>> named_parameters() override {
    return residual_.parameters();
  }
  std::shared_ptr<Denoiser> frozen_copy() const override {
    return std::make_shared<AnalyticDenoiser>(mixture_, schedule_, residual_.frozen_copy());
  }

  void save(const std::string& directory) const override {
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create: {}", directory, failure.message());
    nlohmann::json config;
    config["_class_name"] = "AnalyticDenoiser";
    config["weights"] = mixture_.weights();
    config["means"] = mixture_.means();
    config["stds"] = mixture_.stds();
    config["alphas_cumprod"] = schedule_.alphas_cumprod();
    write_json(directory + "/config.json", config);
    std::vector<at::Tensor> kept;
    std::vector<NamedArray> arrays;
    for (const auto& [name, tensor] : residual_.parameters()) {
      kept.push_back(tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous());
      const auto sizes = kept.back().sizes();
      arrays.push_back(
          {"residual." + name,
           {DType::f32, std::vector<std::int64_t>(sizes.begin(), sizes.end()), kept.back().data_ptr()}});
    }
    write_safetensors(directory + "/residual.safetensors", arrays);
  }

 private:
  /// sum_i pi_i(x) (alpha m_i - x) / v_i with v_i = alpha^2 s_i^2 + sigma^2, pi_i the posterior share of
  /// component i (G5).
  at::Tensor mixture_score(const at::Tensor& x, const at::Tensor& alpha, const at::Tensor& sigma) {
    if (constants_.means.device() != x.device()) {
      constants_ = {constants_.log_weights.to(x.device()), constants_.means.to(x.device()),
                    constants_.variances.to(x.device())};
    }
    const auto a = alpha.unsqueeze(1);
    const auto variance = a.square() * constants_.variances + sigma.unsqueeze(1).square(); // [rows, M]
    if (mixture_.components() == 1) {
      return (a * constants_.means - x) / variance;
    }
    const auto difference = a.unsqueeze(2) * constants_.means - x.unsqueeze(1); // [rows, M, d]
    const auto log_joint = constants_.log_weights - difference.square().sum(2) / (2.0 * variance) -
                           0.5 * static_cast<double>(mixture_.dimension()) * variance.log();
    const auto share = torch::softmax(log_joint, 1) / variance;
    return (share.unsqueeze(2) * difference).sum(1);
  }

  GaussianMixture mixture_;
  Schedule schedule_;
  ResidualPolicy residual_;
  MixtureTensors constants_;
};

} // namespace

GaussianMixture make_mixture(const AnalyticOptions& options) {
  return GaussianMixture(options.weights, options.means, options.stds);
}

Schedule make_analytic_schedule(const ScheduleOptions& options) {
  const long n = options.num_train_timesteps;
  if (options.kind == "from_model") {
    return Schedule::linear(n, 1e-4, 0.02);
  }
  if (options.kind == "linear") {
    return Schedule::linear(n, options.beta_start, options.beta_end);
  }
  if (options.kind == "scaled_linear") {
    return Schedule::scaled_linear(n, options.beta_start, options.beta_end);
  }
  SCOREACT_REQUIRE(options.kind == "cosine", ExitCode::data,
                   "schedule.kind = \"{}\": expected from_model, linear, scaled_linear or cosine",
                   options.kind);
  return Schedule::cosine(n);
}

std::shared_ptr<Denoiser> make_analytic_denoiser(const AnalyticOptions& options,
                                                 const ScheduleOptions& schedule_options) {
  const std::map<std::string, ResidualKind> kinds = {
      {"constant", ResidualKind::constant}, {"affine", ResidualKind::affine}, {"mlp", ResidualKind::mlp}};
  const auto kind = kinds.find(options.policy);
  SCOREACT_REQUIRE(kind != kinds.end(), ExitCode::data,
                   "model.analytic.policy = \"{}\": expected constant, affine or mlp", options.policy);
  const auto mixture = make_mixture(options);
  const auto schedule = make_analytic_schedule(schedule_options);
  const ResidualScales scales{mixture.mean(), mixture.mean_variance(), schedule.log_snr(1.0),
                              schedule.log_snr(schedule.tau_of_index(0))};
  return std::make_shared<AnalyticDenoiser>(mixture, schedule,
                                            ResidualPolicy(scales, kind->second, options.hidden));
}

} // namespace scoreact
