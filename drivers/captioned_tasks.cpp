#include "captioned_tasks.hpp"

#include "data/image_data.hpp"
#include "models/clip/initial_values.hpp"
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "pretraining/train_autoencoder.hpp"
#include "pretraining/train_two_towers.hpp"
#include "text/byte_pair_trainer.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

struct CaptionedSplit {
  CaptionedRows training, held_out;
};

CaptionedSplit split_of(const CaptionedPictures& all, const Deck& deck, c10::Device device) {
  const Split split = split_rows(all.count(), deck.data.test_fraction);
  return {captioned_rows(all, split.train, device), captioned_rows(all, split.test, device)};
}

AutoencoderKlConfig autoencoder_config(const Deck& deck) {
  AutoencoderKlConfig config;
  config.in_channels = config.out_channels = deck.data.channels;
  config.latent_channels = deck.network.latent_channels;
  config.block_out_channels = deck.network.block_out_channels;
  config.layers_per_block = deck.network.layers_per_block;
  config.norm_num_groups = deck.network.norm_num_groups;
  config.sample_size = deck.data.height;
  check_autoencoder_kl_config(config, "network");
  return config;
}

ClipConfig clip_config(const Deck& deck, const ClipTokenizer& tokenizer) {
  const NetworkOptions& network = deck.network;
  ClipConfig config;
  config.text.encoder = {.hidden_size = network.text_hidden,
                         .intermediate_size = network.text_intermediate,
                         .layers = network.text_layers,
                         .heads = network.text_heads};
  config.text.vocab_size = static_cast<long>(tokenizer.size());
  config.text.max_position_embeddings = network.text_positions;
  config.text.eos_token_id = tokenizer.end();
  config.vision.encoder = {.hidden_size = network.vision_hidden,
                           .intermediate_size = network.vision_intermediate,
                           .layers = network.vision_layers,
                           .heads = network.vision_heads};
  config.vision.num_channels = deck.data.channels;
  config.vision.image_size = deck.data.height;
  config.vision.patch_size = network.patch_size;
  config.text.projection_dim = config.vision.projection_dim = network.projection_dim;
  return config;
}

std::shared_ptr<Clip> two_towers(const Deck& deck, const std::string& tokenizer, c10::Device device) {
  if (!deck.network.start.empty()) {
    auto trained = Clip::load(deck.network.start, device);
    make_trainable(*trained);
    return trained;
  }
  auto clip = std::make_shared<Clip>(clip_config(deck, ClipTokenizer(tokenizer)));
  initialise_clip(clip->named_parameters().pairs(), deck.network.text_layers, deck.network.vision_layers,
                  deck.run.seed);
  clip->to(device);
  return clip;
}

} // namespace

void make_trainable(const torch::nn::Module& network) {
  for (const at::Tensor& parameter : network.parameters())
    parameter.set_requires_grad(true);
}

CaptionedPictures captioned_pictures(const Deck& deck, const PretrainingPlace& place) {
  CaptionedPictures all = place.ranks.together([&] { return read_image_folder(deck.data); });
  if (place.ranks.root() && !all.skipped.empty()) {
    constexpr std::size_t shown = 10;
    for (std::size_t i = 0; i < std::min(shown, all.skipped.size()); ++i) {
      fmt::print(stderr, "scoreact: warning: skipped: {}\n", all.skipped[i]);
    }
    fmt::print(stderr, "scoreact: warning: {} bad lines or pictures skipped, {} left (data.on_bad_item)\n",
               all.skipped.size(), all.count());
  }
  return all;
}

std::string tokenizer_folder(const Deck& deck, const std::vector<std::string>& captions,
                             const PretrainingPlace& place) {
  if (!deck.network.start.empty()) {
    const fs::path start(deck.network.start);
    return (deck.network.kind == "text_to_image" ? start / "tokenizer" : start).string();
  }
  if (!deck.network.tokenizer.empty()) {
    return deck.network.tokenizer;
  }
  const fs::path folder = place.directory / "tokenizer";
  place.ranks.together([&] {
    if (place.ranks.root()) {
      train_byte_pairs(captions, deck.network.vocab_size, deck.network.text_positions, folder);
    }
  });
  return folder.string();
}

std::unique_ptr<TrainingTask> autoencoder_task(const Deck& deck, c10::Device device,
                                               const PretrainingPlace& place) {
  auto [training, held_out] = split_of(captioned_pictures(deck, place), deck, device);
  if (deck.network.kind == "autoencoder_kl") {
    auto network = std::make_shared<AutoencoderKL>(autoencoder_config(deck),
                                                   at::detail::createCPUGenerator(deck.run.seed));
    network->to(device);
    return std::make_unique<AutoencoderTask>(std::move(network), std::move(training), std::move(held_out),
                                             deck.pretrain, deck.run.seed);
  }
  auto network = AutoencoderKL::load(deck.network.vae, device);
  EncodedPictures latents = encode_pictures(*network, training.pictures, place.ranks);
  return std::make_unique<AutoencoderTask>(std::move(network), std::move(training), std::move(held_out),
                                           std::move(latents), deck.pretrain, deck.run.seed);
}

std::unique_ptr<TrainingTask> two_towers_task(const Deck& deck, c10::Device device,
                                              const PretrainingPlace& place) {
  const CaptionedPictures all = captioned_pictures(deck, place);
  const std::string tokenizer = tokenizer_folder(deck, all.captions, place);
  auto [training, held_out] = split_of(all, deck, device);
  return std::make_unique<TwoTowersTask>(two_towers(deck, tokenizer, device), tokenizer, std::move(training),
                                         std::move(held_out), deck.pretrain, deck.run.seed);
}

} // namespace scoreact
