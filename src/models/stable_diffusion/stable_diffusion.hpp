#pragma once
/// A StableDiffusionPipeline folder as a Denoiser on latents: CLIP text encoder, U-Net, autoencoder. Prompts
/// are encoded once, when the model is loaded; a sample's prompt is a row of that table, -1 the negative
/// prompt of classifier-free guidance. With LoRA the policy and its pretrained twin share one U-Net.
#include "models/denoiser.hpp"
#include "models/scheduler_config.hpp"
#include "models/text_conditions.hpp"

#include <c10/core/Device.h>

namespace scoreact {

class AutoencoderKL;
class UNet2DCondition;

/// What of the U-Net is trained.
struct TrainedPart {
  enum class Kind { nothing, lora, all };
  Kind kind = Kind::nothing;
  long lora_rank = 4;
  double lora_alpha = 4.0; ///< the update is scaled by alpha / rank
  std::vector<std::string> lora_targets = {"to_q", "to_k", "to_v", "to_out.0"}; ///< LoraOptions::targets
  bool half = false; ///< the frozen U-Net in bfloat16, as mixed-precision LoRA training; the LoRA stays fp32
};

class StableDiffusion : public Denoiser {
 public:
  /// Reads a StableDiffusionPipeline folder (unet, vae, text_encoder, tokenizer, scheduler). Throws
  /// Error{missing_input | data}.
  static std::shared_ptr<StableDiffusion> load(const std::string& directory, const ScheduleOptions&,
                                               const TextConditions&, const TrainedPart&, c10::Device);
  /// From networks in memory, nothing trained. @param prompts [prompts + 1, tokens, width] fp32: encoded
  /// texts, the last one that of the null condition. save() throws Error{internal}.
  static std::shared_ptr<StableDiffusion> assemble(std::shared_ptr<UNet2DCondition>,
                                                   std::shared_ptr<AutoencoderKL>, const at::Tensor& prompts,
                                                   SchedulerConfig);
  ~StableDiffusion() override;

  at::Tensor predict(const at::Tensor& x, const RowTimes&, const at::Tensor& prompt) override;
  Prediction prediction() const override { return scheduler_.prediction; }
  std::vector<long> sample_shape() const override; ///< [latent channels, sample_size, sample_size]
  const Schedule& schedule() const override { return scheduler_.schedule; }
  long num_prompts() const override;
  /// The LoRA under diffusers' names, all of the U-Net, or nothing.
  std::vector<std::pair<std::string, at::Tensor>> named_parameters() override;
  /// The same U-Net with its LoRA switched off; a copy if all of it is trained.
  std::shared_ptr<Denoiser> frozen_copy() const override;
  /// LoRA: pytorch_lora_weights.safetensors, as diffusers' load_lora_weights reads it; else the U-Net's
  /// folder.
  void save(const std::string& directory) const override;
  /// Latents [n, C, h, w] -> pixels [n, 3, H, W] in about [-1, 1]. Works through few rows at a time when no
  /// gradient is recorded.
  at::Tensor to_pixels(const at::Tensor& latents) const override;
  std::vector<long> pixel_shape() const override; ///< [3, height, width]

  /// Adds a LoRA from a file or folder in any spelling; where it has a part for the text encoder, the texts
  /// are encoded anew. Throws Error{missing_input | data}, and Error{internal} for what assemble() made.
  void load_lora(const std::string& path);
  const SchedulerConfig& scheduler() const { return scheduler_; }

 private:
  struct Networks;
  StableDiffusion(std::shared_ptr<Networks>, SchedulerConfig, TrainedPart::Kind, bool pretrained);
  std::shared_ptr<Networks> networks_;
  SchedulerConfig scheduler_;
  TrainedPart::Kind trained_;
  bool pretrained_; ///< the view with the LoRA switched off
};

} // namespace scoreact
