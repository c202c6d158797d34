#include "text_to_image_task.hpp"

#include "captioned_tasks.hpp"
#include "data/image_data.hpp"
#include "models/clip/clip_tokens.hpp"
#include "models/clip/initial_values.hpp"
#include "pretraining/captioned_rows.hpp"
#include "pretraining/train_text_to_image.hpp"
#include "rl/prompts.hpp"
#include "text/clip_tokenizer.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

Unet2dConditionConfig unet_config(const NetworkOptions& network, const DataOptions& data,
                                  const AutoencoderKL& vae) {
  Unet2dConditionConfig config;
  config.sample_height = data.height / vae.downscale();
  config.sample_width = data.width / vae.downscale();
  config.in_channels = config.out_channels = vae.latent_channels();
  config.norm_num_groups = network.norm_num_groups;
  config.levels.clear();
  const std::size_t levels = network.block_out_channels.size();
  for (std::size_t i = 0; i < levels; ++i)
    config.levels.push_back(
        {.channels = network.block_out_channels[i],
         .layers = network.layers_per_block,
         .heads = network.heads,
         .context_width = network.text_hidden,
         .attention_down = network.down_block_types[i].starts_with("CrossAttn"),
         .attention_up = network.up_block_types[levels - 1 - i].starts_with("CrossAttn")});
  check_unet2d_condition_config(config, "[network]");
  return config;
}

ClipTextConfig text_config(const NetworkOptions& network, const ClipTokenizer& tokenizer) {
  ClipTextConfig config;
  config.encoder.hidden_size = config.projection_dim = network.text_hidden;
  config.encoder.intermediate_size = network.text_intermediate;
  config.encoder.layers = network.text_layers;
  config.encoder.heads = network.text_heads;
  config.max_position_embeddings = network.text_positions;
  config.vocab_size = static_cast<long>(tokenizer.size());
  config.eos_token_id = tokenizer.end();
  return config;
}

TextToImageNetworks networks_of(const Deck& deck, const ClipTokenizer& tokenizer, c10::Device device) {
  const auto vae = AutoencoderKL::load(deck.network.vae, device);
  if (!deck.network.start.empty()) {
    const std::filesystem::path start(deck.network.start);
    const auto unet = UNet2DCondition::load((start / "unet").string(), device);
    const auto text = ClipText::load((start / "text_encoder").string(), device);
    make_trainable(*unet);
    make_trainable(*text);
    return {unet, text, vae, scheduler_from_options(deck.schedule)};
  }
  const auto unet = std::make_shared<UNet2DCondition>(unet_config(deck.network, deck.data, *vae),
                                                      at::detail::createCPUGenerator(deck.run.seed));
  const auto text = std::make_shared<ClipText>(text_config(deck.network, tokenizer));
  initialise_clip(text->named_parameters().pairs(), deck.network.text_layers, 0, deck.run.seed);
  unet->to(device);
  text->to(device);
  return {unet, text, vae, scheduler_from_options(deck.schedule)};
}

} // namespace

std::unique_ptr<TrainingTask> text_to_image_task(const Deck& deck, c10::Device device,
                                                 const PretrainingPlace& place) {
  const CaptionedPictures all = captioned_pictures(deck, place);
  const Split split = split_rows(all.count(), deck.data.test_fraction);
  const CaptionedRows training = captioned_rows(all, split.train), held_out = captioned_rows(all, split.test);
  const std::string folder = tokenizer_folder(deck, training.captions, place);
  const ClipTokenizer tokenizer(folder);
  TextToImageNetworks networks = networks_of(deck, tokenizer, device);
  const auto tokens = [&](const std::vector<std::string>& texts) {
    return clip_tokens(tokenizer, texts, networks.text_encoder->config().max_position_embeddings).to(device);
  };
  const auto latents = [&](const CaptionedRows& rows) -> CaptionedLatents {
    return {encode_pictures(*networks.vae, rows.pictures, place.ranks), tokens(rows.captions)};
  };
  const std::vector<std::string> prompts = prompt_texts(deck.prompts);
  std::vector<std::string> texts = prompts;
  texts.emplace_back(); // the null condition
  const CaptionedSampleOptions samples = {prompts,
                                          tokens(texts),
                                          deck.store.images_per_epoch,
                                          {.num_steps = deck.sample.num_steps,
                                           .together = deck.sample.micro_batch_size,
                                           .guidance_scale = deck.sample.guidance_scale,
                                           .seed = deck.evaluate.seed}};
  CaptionedLatents seen = latents(training), unseen = latents(held_out); // collective, in this order
  return std::make_unique<TextToImageTask>(std::move(networks), std::move(seen), std::move(unseen), samples,
                                           PipelineSources{deck.network.vae, folder}, deck.pretrain,
                                           deck.run.seed);
}

} // namespace scoreact
