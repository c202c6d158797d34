#pragma once
/// Text-to-image diffusion in the latents of a frozen autoencoder (Rombach et al. 2022): U-Net and CLIP text
/// encoder are trained together on pictures with captions. Loss: w(i) |eps - eps_theta(alpha z + sigma eps,
/// i, c)|^2, times i uniform, z drawn from the encoded picture, captions dropped to the empty one for
/// classifier-free guidance, and the min-SNR weights of Hang et al. 2023.
#include "models/clip/clip_text.hpp"
#include "models/scheduler_config.hpp"
#include "models/stable_diffusion/unet2d_condition.hpp"
#include "pretraining/encoded_pictures.hpp"
#include "pretraining/pretrain_options.hpp"
#include "pretraining/training_samples.hpp"
#include "pretraining/training_task.hpp"

#include <memory>
#include <string>
#include <vector>

namespace scoreact {

/// What a text-to-image model is made of, all on one device; the autoencoder is frozen.
struct TextToImageNetworks {
  std::shared_ptr<UNet2DCondition> unet;
  std::shared_ptr<ClipText> text_encoder;
  std::shared_ptr<AutoencoderKL> vae;
  SchedulerConfig scheduler;
};

/// Pictures and captions, row by row.
struct CaptionedLatents {
  EncodedPictures pictures;
  at::Tensor tokens; ///< [n, length] int64, on the networks' device
};

/// The grids of a run: `prompts` in turn, `count` pictures.
struct CaptionedSampleOptions {
  std::vector<std::string> prompts; ///< empty: no grids
  at::Tensor tokens;                ///< [prompts + 1, length] int64: theirs, then those of the empty text
  long count = 64;
  TrainingSampleOptions draw;
};

/// Where the parts of the finished pipeline come from that are not trained here.
struct PipelineSources {
  std::string vae;       ///< folder of the AutoencoderKL
  std::string tokenizer; ///< folder of the tokenizer
};

class TextToImageTask : public TrainingTask {
 public:
  TextToImageTask(TextToImageNetworks, CaptionedLatents training, CaptionedLatents held_out,
                  CaptionedSampleOptions, PipelineSources, const PretrainOptions&, std::uint64_t seed);
  std::vector<ParameterGroup> parameters() override;
  at::Tensor loss(const BatchRows&) override;
  /// test_eps_mse: mean |eps - eps_theta|^2 a latent number, unweighted, no caption dropped.
  std::vector<MetricInfo> figures() const override;
  std::vector<double> held_out() override;
  at::Tensor samples() override;
  long columns() const override;
  /// A StableDiffusionPipeline folder in float16.
  void save(const std::string& folder) override;

 private:
  at::Tensor error_of_rows(const CaptionedLatents&, const at::Tensor& chosen, const at::Tensor& time,
                           const at::Tensor& tokens, const BatchRows&);

  TextToImageNetworks networks_;
  CaptionedLatents training_, held_out_;
  CaptionedSampleOptions samples_;
  PipelineSources sources_;
  PretrainOptions options_;
  std::uint64_t seed_;
  at::Tensor alpha_, sigma_, weight_; ///< [N] fp32 of the schedule's times
};

/// min(SNR, gamma) / SNR at each time of the schedule, with SNR = abar / (1 - abar): weights of the loss of a
/// network that predicts eps (Hang et al. 2023, section 3.4). gamma = 0: all 1.
std::vector<double> min_snr_weights(const Schedule&, double gamma);

/// `tokens` [B, length] where those rows whose `uniform` [B] is below `share` hold `empty` [length] instead.
at::Tensor drop_captions(const at::Tensor& tokens, const at::Tensor& empty, const at::Tensor& uniform,
                         double share);

} // namespace scoreact
