#pragma once
/// Writes a StableDiffusionPipeline folder (model_index.json, unet, vae, text_encoder, tokenizer, scheduler)
/// that diffusers and StableDiffusion::load read.
#include "models/clip/clip_text.hpp"
#include "models/scheduler_config.hpp"
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "models/stable_diffusion/unet2d_condition.hpp"

#include <string>

namespace scoreact {

struct PipelineParts {
  const UNet2DCondition& unet;
  const ClipText& text_encoder;
  const AutoencoderKL& vae;
  const SchedulerConfig& scheduler; ///< written as a DDIMScheduler
  std::string vae_config;           ///< config.json that is copied
  std::string tokenizer;            ///< folder whose files are copied
};

/// Weights are written in `precision`. Throws Error{io}, Error{missing_input} for a file to copy.
void write_pipeline_folder(const PipelineParts&, const std::string& folder, at::ScalarType precision);

} // namespace scoreact
