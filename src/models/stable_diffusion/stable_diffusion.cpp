#include "models/stable_diffusion/stable_diffusion.hpp"
#include "models/model_folder.hpp"

#include "error/error.hpp"
#include "models/clip/clip_text.hpp"
#include "models/clip/clip_tokens.hpp"
#include "models/json_file.hpp"
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "models/stable_diffusion/channels_last.hpp"
#include "models/stable_diffusion/lora.hpp"
#include "models/stable_diffusion/unet2d_condition.hpp"
#include "models/weights.hpp"
#include "text/clip_tokenizer.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace scoreact {

/// What a policy and its pretrained twin share.
struct StableDiffusion::Networks {
  std::shared_ptr<UNet2DCondition> unet;
  std::shared_ptr<AutoencoderKL> vae;
  std::string base;               ///< folder of the pipeline
  std::vector<std::string> texts; ///< the prompts and, last, the negative one
  at::Tensor prompts;             ///< [prompts + 1, tokens, width] fp32: the texts, encoded
};

namespace {

namespace fs = std::filesystem;

/// Latent pixels of one call of the decoder: a 512 x 512 picture has 4096, and 134 MB an activation. A GPU
/// wants more of them.
constexpr long kDecodedAtOnce = 4096, kDecodedAtOnceOnDevice = 8 * 4096;
/// Latents of this width and more are trained with gradient checkpointing: a third more time, a fraction of
/// the memory.
constexpr long kCheckpointedSize = 32;
/// Of the initial values of a LoRA: its product is 0 whatever they are, so that runs need not differ in them.
constexpr std::uint64_t kLoraSeed = 0;
/// Texts of one call of the text encoder.
constexpr long kTextsAtOnce = 16;

void require_pipeline(const fs::path& folder) {
  SCOREACT_REQUIRE(fs::is_directory(folder), ExitCode::missing_input,
                   "{}: no such folder; expected a StableDiffusionPipeline with unet, vae, text_encoder, "
                   "tokenizer and scheduler",
                   folder.string());
  for (const char* part : {"unet", "vae", "text_encoder", "tokenizer", "scheduler"})
    SCOREACT_REQUIRE(fs::is_directory(folder / part), ExitCode::missing_input,
                     "{}: expected a StableDiffusionPipeline; the folder {} is missing", folder.string(),
                     part);
  check_model_index(folder.string());
}

/// Last hidden states of the texts, padded to the encoder's length as the pipeline does, [texts, tokens,
/// width].
at::Tensor encode_texts(const fs::path& folder, const ClipText& encoder,
                        const std::vector<std::string>& texts, c10::Device device) {
  const ClipTokenizer tokenizer((folder / "tokenizer").string());
  const long length = encoder.config().max_position_embeddings;
  const long count = static_cast<long>(texts.size());
  const at::Tensor all = clip_tokens(tokenizer, texts, length).to(device);
  torch::NoGradGuard no_grad;
  std::vector<at::Tensor> states;
  for (long first = 0; first < count; first += kTextsAtOnce)
    states.push_back(
        encoder.forward(all.narrow(0, first, std::min(kTextsAtOnce, count - first))).last_hidden_state);
  return at::cat(states);
}

std::shared_ptr<ClipText> load_text_encoder(const fs::path& folder, c10::Device device) {
  return ClipText::load((folder / "text_encoder").string(), device);
}

} // namespace

std::shared_ptr<StableDiffusion> StableDiffusion::load(const std::string& directory,
                                                       const ScheduleOptions& schedule,
                                                       const TextConditions& texts,
                                                       const TrainedPart& trained, c10::Device device) {
  const fs::path folder(directory);
  require_pipeline(folder);
  SCOREACT_REQUIRE(!texts.prompts.empty(), ExitCode::data,
                   "prompts: a text-to-image model needs at least one prompt (prompts.list or prompts.file)");
  auto networks = std::make_shared<Networks>();
  networks->base = directory;
  networks->unet = UNet2DCondition::load((folder / "unet").string(), device);
  networks->vae = AutoencoderKL::load((folder / "vae").string(), device);
  networks->texts = texts.prompts;
  networks->texts.push_back(texts.negative);
  networks->prompts = encode_texts(folder, *load_text_encoder(folder, device), networks->texts, device);
  if (trained.half) {
    SCOREACT_REQUIRE(
        trained.kind != TrainedPart::Kind::all, ExitCode::data,
        "a U-Net that is trained in full keeps its weights in fp32; expected LoRA with bfloat16");
    networks->unet->to(at::kBFloat16);
  }
  to_channels_last_on_tensor_cores(*networks->vae);
  if (trained.kind != TrainedPart::Kind::all) // which the optimizer keeps in one flat buffer
    to_channels_last_on_tensor_cores(*networks->unet);
  const bool large = networks->unet->config().sample_height >= kCheckpointedSize;
  networks->unet->set_gradient_checkpointing(large);
  networks->vae->set_gradient_checkpointing(large);
  if (trained.kind == TrainedPart::Kind::lora)
    add_lora(*networks->unet, {trained.lora_rank, trained.lora_alpha, kLoraSeed, trained.lora_targets});
  if (trained.kind == TrainedPart::Kind::all)
    for (const auto& [name, parameter] : networks->unet->named_parameters().pairs())
      parameter.requires_grad_(true);
  return std::shared_ptr<StableDiffusion>(new StableDiffusion(
      std::move(networks), for_stable_diffusion(scheduler_of(directory, schedule)), trained.kind, false));
}

std::shared_ptr<StableDiffusion> StableDiffusion::assemble(std::shared_ptr<UNet2DCondition> unet,
                                                           std::shared_ptr<AutoencoderKL> vae,
                                                           const at::Tensor& prompts,
                                                           SchedulerConfig scheduler) {
  auto networks = std::make_shared<Networks>();
  networks->unet = std::move(unet);
  networks->vae = std::move(vae);
  networks->prompts = prompts;
  return std::shared_ptr<StableDiffusion>(
      new StableDiffusion(std::move(networks), std::move(scheduler), TrainedPart::Kind::nothing, false));
}

StableDiffusion::StableDiffusion(std::shared_ptr<Networks> networks, SchedulerConfig scheduler,
                                 TrainedPart::Kind trained, bool pretrained)
    : networks_(std::move(networks)), scheduler_(std::move(scheduler)), trained_(trained),
      pretrained_(pretrained) {}

StableDiffusion::~StableDiffusion() = default;

at::Tensor StableDiffusion::predict(const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt) {
  const at::Tensor rows = at::where(prompt < 0, num_prompts(), prompt);
  const at::Tensor context = networks_->prompts.index_select(0, rows);
  UNet2DCondition& unet = *networks_->unet;
  const bool before = unet.lora_enabled();
  unet.set_lora_enabled(!pretrained_);
  at::Tensor output = unet.forward(x, times.timestep, context);
  unet.set_lora_enabled(before);
  return output;
}

std::vector<long> StableDiffusion::sample_shape() const {
  const Unet2dConditionConfig& config = networks_->unet->config();
  return {config.in_channels, config.sample_height, config.sample_width};
}

long StableDiffusion::num_prompts() const { return networks_->prompts.size(0) - 1; }

std::vector<std::pair<std::string, at::Tensor>> StableDiffusion::named_parameters() {
  switch (trained_) {
  case TrainedPart::Kind::lora:
    return lora_parameters(*networks_->unet);
  case TrainedPart::Kind::all:
    return networks_->unet->named_parameters().pairs();
  case TrainedPart::Kind::nothing:
    break;
  }
  return {};
}

std::shared_ptr<Denoiser> StableDiffusion::frozen_copy() const {
  if (trained_ != TrainedPart::Kind::all)
    return std::shared_ptr<Denoiser>(new StableDiffusion(networks_, scheduler_, trained_, true));
  auto networks = std::make_shared<Networks>(*networks_);
  networks->unet = std::make_shared<UNet2DCondition>(networks_->unet->config());
  const NamedTensors from = networks_->unet->named_parameters().pairs();
  networks->unet->to(from.front().second.device());
  const NamedTensors to = networks->unet->named_parameters().pairs();
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < from.size(); ++i)
    at::Tensor(to[i].second).copy_(from[i].second).requires_grad_(false);
  return std::shared_ptr<Denoiser>(
      new StableDiffusion(std::move(networks), scheduler_, TrainedPart::Kind::all, true));
}

void StableDiffusion::save(const std::string& directory) const {
  SCOREACT_REQUIRE(!networks_->base.empty(), ExitCode::internal,
                   "a model that was put together in memory has no folder to be saved like");
  std::error_code failure;
  const fs::path root(directory);
  const bool lora = trained_ == TrainedPart::Kind::lora;
  const fs::path folder = lora ? root : root / "unet";
  fs::create_directories(folder, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", folder.string(),
                   failure.message());
  if (lora) {
    save_lora(*networks_->unet, (root / "pytorch_lora_weights.safetensors").string(),
              LoraSpelling::diffusers);
    return;
  }
  write_weights((folder / "diffusion_pytorch_model.safetensors").string(),
                networks_->unet->named_parameters().pairs());
  write_json((folder / "config.json").string(), read_json(networks_->base + "/unet/config.json"));
}

at::Tensor StableDiffusion::to_pixels(const at::Tensor& latents) const {
  const at::Tensor unscaled = latents / networks_->vae->scaling_factor();
  const long rows = latents.size(0), area = latents.size(2) * latents.size(3);
  const long together = std::max(1L, (latents.is_cuda() ? kDecodedAtOnceOnDevice : kDecodedAtOnce) / area);
  if (at::GradMode::is_enabled() && latents.requires_grad())
    return networks_->vae->decode(unscaled);
  std::vector<at::Tensor> pixels;
  for (long first = 0; first < rows; first += together)
    pixels.push_back(networks_->vae->decode(unscaled.narrow(0, first, std::min(together, rows - first))));
  return pixels.size() == 1 ? pixels.front() : at::cat(pixels);
}

std::vector<long> StableDiffusion::pixel_shape() const {
  const Unet2dConditionConfig& config = networks_->unet->config();
  const long factor = networks_->vae->downscale();
  return {networks_->vae->config().out_channels, config.sample_height * factor, config.sample_width * factor};
}

void StableDiffusion::load_lora(const std::string& path) {
  SCOREACT_REQUIRE(!networks_->base.empty(), ExitCode::internal, "a LoRA needs a pipeline that was loaded");
  const LoraFile lora = read_lora_file(path);
  scoreact::load_lora(*networks_->unet, lora, path);
  if (lora.text_modules.empty())
    return;
  const c10::Device device = networks_->prompts.device();
  const auto encoder = load_text_encoder(networks_->base, device);
  merge_lora(*encoder, lora, path);
  networks_->prompts = encode_texts(networks_->base, *encoder, networks_->texts, device);
}

} // namespace scoreact
