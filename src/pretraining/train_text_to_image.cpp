#include "pretraining/train_text_to_image.hpp"

#include "error/error.hpp"
#include "models/stable_diffusion/pipeline_folder.hpp"
#include "models/stable_diffusion/stable_diffusion.hpp"
#include "pretraining/training_batches.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace scoreact {

namespace {

/// What a number is drawn for, beside the choice of rows, which is 0. Whole numbers, uniform ones and normal
/// ones are counted apart.
constexpr long kTime = 1, kDropout = 2, kLatent = 1;

NamedTensors named(const torch::nn::Module& network, const std::string& prefix) {
  NamedTensors tensors;
  for (const auto& item : network.named_parameters())
    tensors.emplace_back(prefix + item.key(), item.value());
  return tensors;
}

at::Tensor column(const at::Tensor& table, const at::Tensor& time) {
  return table.index_select(0, time).view({-1, 1, 1, 1});
}

} // namespace

std::vector<double> min_snr_weights(const Schedule& schedule, double gamma) {
  std::vector<double> weights;
  for (const double abar : schedule.alphas_cumprod()) {
    const double snr = abar / (1 - abar);
    weights.push_back(gamma > 0 ? std::min(snr, gamma) / snr : 1.0);
  }
  return weights;
}

at::Tensor drop_captions(const at::Tensor& tokens, const at::Tensor& empty, const at::Tensor& uniform,
                         double share) {
  return at::where((uniform < share).to(tokens.device()).unsqueeze(1), empty.unsqueeze(0), tokens);
}

TextToImageTask::TextToImageTask(TextToImageNetworks networks, CaptionedLatents training,
                                 CaptionedLatents held_out, CaptionedSampleOptions samples,
                                 PipelineSources sources, const PretrainOptions& options, std::uint64_t seed)
    : networks_(std::move(networks)), training_(std::move(training)), held_out_(std::move(held_out)),
      samples_(std::move(samples)), sources_(std::move(sources)), options_(options), seed_(seed) {
  SCOREACT_REQUIRE(networks_.scheduler.prediction == Prediction::epsilon, ExitCode::data,
                   "pretrain trains networks that predict eps");
  const Schedule& schedule = networks_.scheduler.schedule;
  const at::Device device = training_.tokens.device();
  const at::Tensor abar = at::tensor(schedule.alphas_cumprod(), at::kDouble);
  alpha_ = abar.sqrt().to(device, at::kFloat);
  sigma_ = (1 - abar).sqrt().to(device, at::kFloat);
  weight_ = at::tensor(min_snr_weights(schedule, options_.min_snr_gamma), at::kDouble).to(device, at::kFloat);
}

std::vector<ParameterGroup> TextToImageTask::parameters() {
  return {{named(*networks_.unet, "unet.")},
          {named(*networks_.text_encoder, "text_encoder."),
           options_.text_learning_rate / options_.learning_rate}};
}

/// Mean squared error of the noise, [B], of rows `chosen` [B] of the data at times `time` [B].
at::Tensor TextToImageTask::error_of_rows(const CaptionedLatents& data, const at::Tensor& chosen,
                                          const at::Tensor& time, const at::Tensor& tokens,
                                          const BatchRows& rows) {
  const at::Tensor mean = data.pictures.mean.index_select(0, chosen);
  const at::Tensor deviation = (0.5 * data.pictures.logvar.index_select(0, chosen)).exp();
  const at::Tensor z =
      (mean + deviation * random_normal_like(mean, seed_, rows.iteration, rows.first, kLatent)) *
      networks_.vae->scaling_factor();
  const at::Tensor noise = random_normal_like(mean, seed_, rows.iteration, rows.first);
  const at::Tensor context = networks_.text_encoder->forward(tokens).last_hidden_state;
  const at::Tensor noisy = column(alpha_, time) * z + column(sigma_, time) * noise;
  const at::Tensor guess = networks_.unet->forward(noisy, time.to(at::kFloat), context);
  return (guess - noise).square().mean({1, 2, 3});
}

at::Tensor TextToImageTask::loss(const BatchRows& rows) {
  const at::Device device = training_.tokens.device();
  const at::Tensor chosen =
      random_integers(seed_, rows.iteration, 0, rows.first, rows.count, training_.tokens.size(0)).to(device);
  const at::Tensor time = random_integers(seed_, rows.iteration, kTime, rows.first, rows.count,
                                          networks_.scheduler.schedule.size())
                              .to(device);
  const at::Tensor tokens = drop_captions(
      training_.tokens.index_select(0, chosen), samples_.tokens.select(0, -1),
      random_uniform(seed_, rows.iteration, kDropout, rows.first, rows.count), options_.caption_dropout);
  return (weight_.index_select(0, time) * error_of_rows(training_, chosen, time, tokens, rows)).mean();
}

std::vector<MetricInfo> TextToImageTask::figures() const {
  if (held_out_.tokens.size(0) == 0)
    return {};
  return {{"test_eps_mse", "1", "mean squared error of the noise on held-out pictures, averaged weights"}};
}

std::vector<double> TextToImageTask::held_out() {
  torch::NoGradGuard no_grad;
  const long count = held_out_.tokens.size(0);
  const at::Device device = held_out_.tokens.device();
  double sum = 0;
  for (long first = 0; first < count; first += options_.micro_batch_size) {
    // an iteration that training never has: the same noise and times for every evaluation
    const BatchRows rows = {options_.iterations, first, std::min(options_.micro_batch_size, count - first)};
    const at::Tensor chosen = at::arange(first, first + rows.count, at::kLong).to(device);
    const at::Tensor time =
        random_integers(seed_, rows.iteration, kTime, first, rows.count, networks_.scheduler.schedule.size())
            .to(device);
    sum += error_of_rows(held_out_, chosen, time, held_out_.tokens.index_select(0, chosen), rows)
               .sum(at::kDouble)
               .item<double>();
  }
  return {sum / static_cast<double>(count)};
}

at::Tensor TextToImageTask::samples() {
  if (samples_.prompts.empty())
    return {};
  torch::NoGradGuard no_grad;
  const at::Tensor context = networks_.text_encoder->forward(samples_.tokens).last_hidden_state;
  const auto model = StableDiffusion::assemble(networks_.unet, networks_.vae, context, networks_.scheduler);
  const at::Tensor prompt = at::arange(samples_.count, samples_.tokens.options())
                                .remainder(static_cast<std::int64_t>(samples_.prompts.size()));
  return model->to_pixels(draw_training_samples(model, prompt, samples_.draw));
}

long TextToImageTask::columns() const {
  return std::min(samples_.count, static_cast<long>(samples_.prompts.size()));
}

void TextToImageTask::save(const std::string& folder) {
  write_pipeline_folder({.unet = *networks_.unet,
                         .text_encoder = *networks_.text_encoder,
                         .vae = *networks_.vae,
                         .scheduler = networks_.scheduler,
                         .vae_config = sources_.vae + "/config.json",
                         .tokenizer = sources_.tokenizer},
                        folder, at::kHalf);
}

} // namespace scoreact
