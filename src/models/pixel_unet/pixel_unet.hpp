#pragma once
/// Pixel-space diffusion model of Hugging Face layout (UNet2DModel and a scheduler), as a Denoiser. The last
/// class of a class-conditional model is its null condition.
#include "models/denoiser.hpp"
#include "models/pixel_unet/unet_config.hpp"
#include "models/scheduler_config.hpp"

#include <c10/core/Device.h>

#include <cstdint>

namespace scoreact {

namespace unet {
class Unet2d;
}

class PixelUnet : public Denoiser {
 public:
  /// New network with PyTorch's default initial values, drawn on the CPU from `seed`.
  PixelUnet(const UnetConfig&, const SchedulerConfig&, std::uint64_t seed);
  /// Reads a model directory: config.json and diffusion_pytorch_model.safetensors at the root or in unet/,
  /// the scheduler's file at the root or in scheduler/. Throws Error{missing_input | data}.
  static std::shared_ptr<PixelUnet> load(const std::string& directory, const ScheduleOptions&,
                                         c10::Device device);

  at::Tensor predict(const at::Tensor& x, const RowTimes&, const at::Tensor& prompt) override;
  Prediction prediction() const override { return scheduler_.prediction; }
  std::vector<long> sample_shape() const override;
  const Schedule& schedule() const override { return scheduler_.schedule; }
  long num_prompts() const override;
  std::vector<std::pair<std::string, at::Tensor>> named_parameters() override;
  std::shared_ptr<Denoiser> frozen_copy() const override;
  /// config.json, weights, scheduler_config.json and model_index.json in one folder, which diffusers'
  /// UNet2DModel.from_pretrained and DDIMPipeline.from_pretrained load.
  void save(const std::string& directory) const override;

  const UnetConfig& config() const;
  const SchedulerConfig& scheduler() const { return scheduler_; }
  /// The network as diffusers calls it: timestep [rows] fp32, class_labels [rows] int64 or undefined.
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep, const at::Tensor& class_labels);
  void to(c10::Device device);

 private:
  PixelUnet(std::shared_ptr<unet::Unet2d> network, SchedulerConfig scheduler);
  std::shared_ptr<unet::Unet2d> network_;
  SchedulerConfig scheduler_;
};

} // namespace scoreact
