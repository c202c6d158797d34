#include "pretraining/train_autoencoder.hpp"

#include "pretraining/training_batches.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace scoreact {
namespace {

constexpr long kTogether = 64;   ///< pictures in one network call outside of training
constexpr long kMeasured = 4096; ///< pictures, at most, that latent_std and psnr are measured on

bool of_decoder(const std::string& name) {
  return name.starts_with("decoder.") || name.starts_with("post_quant_conv.");
}

/// Calls `work` with the row numbers [<= kTogether] of 0 .. count - 1, in turn.
template <class Work> void in_parts(long count, c10::Device device, Work&& work) {
  for (long first = 0; first < count; first += kTogether) {
    work(at::arange(first, std::min(count, first + kTogether), at::TensorOptions(at::kLong).device(device)));
  }
}

} // namespace

at::Tensor gradient_distance(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor off = x - y; // differences are linear
  return off.diff(1, 3).abs().mean() + off.diff(1, 2).abs().mean();
}

at::Tensor mean_kl(const at::Tensor& mean, const at::Tensor& logvar) {
  return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean();
}

double psnr(const at::Tensor& x, const at::Tensor& y) {
  const double mse = (x - y.clamp(-1, 1)).to(at::kDouble).square().mean().item<double>();
  return 10 * std::log10(4 / mse);
}

AutoencoderTask::AutoencoderTask(std::shared_ptr<AutoencoderKL> network, CaptionedRows training,
                                 CaptionedRows held_out, const PretrainOptions& options, std::uint64_t seed)
    : AutoencoderTask(std::move(network), std::move(training), std::move(held_out), {}, options, seed) {}

AutoencoderTask::AutoencoderTask(std::shared_ptr<AutoencoderKL> network, CaptionedRows training,
                                 CaptionedRows held_out, EncodedPictures latents,
                                 const PretrainOptions& options, std::uint64_t seed)
    : network_(std::move(network)), training_(std::move(training)), held_out_(std::move(held_out)),
      latents_(std::move(latents)), options_(options), seed_(seed) {
  for (const auto& item : network_->named_parameters()) {
    item.value().set_requires_grad(!latents_.mean.defined() || of_decoder(item.key()));
  }
}

std::vector<ParameterGroup> AutoencoderTask::parameters() {
  NamedTensors trained;
  for (const auto& item : network_->named_parameters()) {
    if (item.value().requires_grad()) {
      trained.emplace_back(item.key(), item.value());
    }
  }
  return {{std::move(trained)}};
}

at::Tensor AutoencoderTask::loss(const BatchRows& rows) {
  const at::Tensor chosen =
      random_integers(seed_, rows.iteration, 0, rows.first, rows.count, training_.count())
          .to(training_.pictures.device());
  const at::Tensor pixels = pixels_of(training_.pictures, chosen);
  at::Tensor mean, logvar;
  if (latents_.mean.defined()) {
    mean = latents_.mean.index_select(0, chosen);
    logvar = latents_.logvar.index_select(0, chosen);
  } else {
    std::tie(mean, logvar) = network_->encode(pixels);
  }
  const at::Tensor noise = random_normal_like(mean, seed_, rows.iteration, rows.first);
  const at::Tensor decoded = network_->decode(mean + (0.5 * logvar).exp() * noise);
  const at::Tensor distance = at::l1_loss(decoded, pixels) +
                              options_.mse_weight * at::mse_loss(decoded, pixels) +
                              options_.gradient_weight * gradient_distance(decoded, pixels);
  return latents_.mean.defined() ? distance : distance + options_.kl_weight * mean_kl(mean, logvar);
}

at::Tensor AutoencoderTask::reconstructed(const at::Tensor& pixels) {
  return network_->decode(network_->encode(pixels).first);
}

double AutoencoderTask::latent_std() {
  torch::NoGradGuard no_grad;
  double sum = 0, squares = 0, count = 0;
  in_parts(std::min(training_.count(), kMeasured), training_.pictures.device(), [&](const at::Tensor& rows) {
    const auto [mean, logvar] = network_->encode(pixels_of(training_.pictures, rows));
    const at::Tensor exact = mean.to(at::kDouble);
    sum += exact.sum().item<double>();
    // a draw's second moment
    squares += (exact.square() + logvar.to(at::kDouble).exp()).sum().item<double>();
    count += static_cast<double>(mean.numel());
  });
  return std::sqrt(squares / count - sum / count * (sum / count));
}

std::vector<MetricInfo> AutoencoderTask::figures() const {
  std::vector<MetricInfo> names = {
      {"latent_std", "1", "standard deviation of the training pictures' latents, unscaled"}};
  if (held_out_.count() > 0) {
    names.push_back({"psnr", "dB", "of reconstructions of held-out pictures, peak 2"});
  }
  return names;
}

std::vector<double> AutoencoderTask::held_out() {
  torch::NoGradGuard no_grad;
  std::vector<double> values = {latent_std()};
  if (held_out_.count() > 0) {
    std::vector<at::Tensor> originals, copies;
    in_parts(std::min(held_out_.count(), kMeasured), held_out_.pictures.device(),
             [&](const at::Tensor& rows) {
               originals.push_back(pixels_of(held_out_.pictures, rows));
               copies.push_back(reconstructed(originals.back()));
             });
    values.push_back(psnr(at::cat(originals), at::cat(copies)));
  }
  return values;
}

at::Tensor AutoencoderTask::samples() {
  torch::NoGradGuard no_grad;
  if (held_out_.count() < columns()) {
    return {};
  }
  const at::TensorOptions index = at::TensorOptions(at::kLong).device(held_out_.pictures.device());
  const at::Tensor spread =
      at::arange(columns(), index) * (held_out_.count() / columns()); // neighbours are alike
  const at::Tensor pixels = pixels_of(held_out_.pictures, spread);
  return at::cat({pixels, reconstructed(pixels)});
}

void AutoencoderTask::save(const std::string& folder) {
  AutoencoderKlConfig config = network_->config();
  if (!latents_.mean.defined()) {
    config.scaling_factor = 1 / latent_std();
  }
  save_autoencoder_kl(*network_, config, folder);
}

} // namespace scoreact
