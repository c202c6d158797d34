#include "models/pixel_unet/pixel_unet.hpp"

#include "error/error.hpp"
#include "models/json_file.hpp"
#include "models/pixel_unet/unet2d.hpp"
#include "models/weights.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

constexpr const char* weights_stem = "diffusion_pytorch_model"; // diffusers' name

} // namespace

PixelUnet::PixelUnet(const UnetConfig& config, const SchedulerConfig& scheduler, std::uint64_t seed)
    : PixelUnet(std::make_shared<unet::Unet2d>(config, at::detail::createCPUGenerator(seed)), scheduler) {}

PixelUnet::PixelUnet(std::shared_ptr<unet::Unet2d> network, SchedulerConfig scheduler)
    : network_(std::move(network)), scheduler_(std::move(scheduler)) {}

std::shared_ptr<PixelUnet> PixelUnet::load(const std::string& directory, const ScheduleOptions& schedule,
                                           c10::Device device) {
  namespace fs = std::filesystem;
  SCOREACT_REQUIRE(fs::is_directory(directory), ExitCode::missing_input,
                   "{}: no such folder; expected a model directory with config.json, "
                   "diffusion_pytorch_model.safetensors and scheduler_config.json",
                   directory);
  const fs::path root(directory);
  const std::string folder = (fs::exists(root / "unet" / "config.json") ? root / "unet" : root).string();
  const UnetConfig config = read_unet_config((fs::path(folder) / "config.json").string());
  auto network = std::make_shared<unet::Unet2d>(config, std::nullopt);
  load_tensors(network->named_parameters().pairs(), read_model_weights(folder, weights_stem),
               model_weight_file(folder, weights_stem));
  std::shared_ptr<PixelUnet> model(new PixelUnet(std::move(network), scheduler_of(directory, schedule)));
  model->to(device);
  return model;
}

at::Tensor PixelUnet::forward(const at::Tensor& sample, const at::Tensor& timestep,
                              const at::Tensor& class_labels) {
  return network_->forward(sample, timestep, class_labels);
}

at::Tensor PixelUnet::predict(const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt) {
  if (!config().num_class_embeds) {
    return network_->forward(x, times.timestep, {});
  }
  const at::Tensor labels = prompt.defined()
                                ? at::where(prompt < 0, num_prompts(), prompt)
                                : at::full({x.size(0)}, num_prompts(), x.options().dtype(at::kLong));
  return network_->forward(x, times.timestep, labels);
}

std::vector<long> PixelUnet::sample_shape() const {
  return {config().in_channels, config().sample_height, config().sample_width};
}

long PixelUnet::num_prompts() const { return config().num_class_embeds.value_or(1) - 1; }

const UnetConfig& PixelUnet::config() const { return network_->config(); }

std::vector<std::pair<std::string, at::Tensor>> PixelUnet::named_parameters() {
  return network_->named_parameters().pairs();
}

void PixelUnet::to(c10::Device device) { network_->to(device); }

std::shared_ptr<Denoiser> PixelUnet::frozen_copy() const {
  auto network = std::make_shared<unet::Unet2d>(config(), std::nullopt);
  const NamedTensors from = network_->named_parameters().pairs();
  network->to(from.front().second.device());
  const NamedTensors to = network->named_parameters().pairs();
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < from.size(); ++i) {
    at::Tensor(to[i].second).copy_(from[i].second).requires_grad_(false);
  }
  return std::shared_ptr<Denoiser>(new PixelUnet(std::move(network), scheduler_));
}

void PixelUnet::save(const std::string& directory) const {
  namespace fs = std::filesystem;
  std::error_code failure;
  fs::create_directories(directory, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", directory, failure.message());
  const fs::path root(directory);
  write_unet_config(config(), (root / "config.json").string());
  write_weights((root / weights_stem).string() + ".safetensors", network_->named_parameters().pairs());
  write_scheduler_config(scheduler_, directory);
  write_json((root / "model_index.json").string(), {{"_class_name", "DDIMPipeline"},
                                                    {"_diffusers_version", "0.30.0"},
                                                    {"scheduler", {"diffusers", "DDIMScheduler"}},
                                                    {"unet", {"diffusers", "UNet2DModel"}}});
}

} // namespace scoreact
