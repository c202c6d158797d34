#pragma once
/// Training of an AutoencoderKL on pictures (Rombach et al. 2022, without their adversarial part):
///   loss = L1 + mse_weight MSE + gradient_weight G + kl_weight KL
/// with G the mean distance of neighbouring pixels' differences (sharp edges), and KL that of the Gaussian of
/// a latent number to N(0, 1), mean over them. Then, as a second training, the decoder alone with the latents
/// of the finished encoder: it may go on improving while what the diffusion model learns stays.
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "pretraining/captioned_rows.hpp"
#include "pretraining/encoded_pictures.hpp"
#include "pretraining/pretrain_options.hpp"
#include "pretraining/training_task.hpp"

#include <memory>

namespace scoreact {

class AutoencoderTask : public TrainingTask {
 public:
  AutoencoderTask(std::shared_ptr<AutoencoderKL>, CaptionedRows training, CaptionedRows held_out,
                  const PretrainOptions&, std::uint64_t seed);
  /// The decoder alone: `latents` are those of the training pictures, from the network's own encoder.
  AutoencoderTask(std::shared_ptr<AutoencoderKL>, CaptionedRows training, CaptionedRows held_out,
                  EncodedPictures latents, const PretrainOptions&, std::uint64_t seed);

  std::vector<ParameterGroup> parameters() override;
  at::Tensor loss(const BatchRows&) override;
  /// psnr: of the means' reconstructions of held-out pictures; latent_std: of the training pictures' latents.
  std::vector<MetricInfo> figures() const override;
  std::vector<double> held_out() override;
  /// A row of held-out pictures, and below it their reconstructions.
  at::Tensor samples() override;
  long columns() const override { return 16; }
  /// config.json with scaling_factor = 1 / latent_std, and the weights in fp32.
  void save(const std::string& folder) override;

 private:
  at::Tensor reconstructed(const at::Tensor& pixels);
  double latent_std();

  std::shared_ptr<AutoencoderKL> network_;
  CaptionedRows training_, held_out_;
  EncodedPictures latents_; ///< undefined: the encoder is trained, too
  PretrainOptions options_;
  std::uint64_t seed_;
};

/// Mean |difference of neighbours in x - the same in y| over horizontal pairs, and over vertical pairs,
/// added; x and y [B, C, H, W].
at::Tensor gradient_distance(const at::Tensor& x, const at::Tensor& y);

/// Mean over all elements of KL(N(mean, exp(logvar)) | N(0, 1)), nats.
at::Tensor mean_kl(const at::Tensor& mean, const at::Tensor& logvar);

/// Peak signal-to-noise ratio in dB of pictures in [-1, 1] (peak 2), y clamped to it: 10 log10(4 / MSE) of
/// all pixels together.
double psnr(const at::Tensor& x, const at::Tensor& y);

} // namespace scoreact
