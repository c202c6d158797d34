#include "pretraining_tasks.hpp"

#include "captioned_tasks.hpp"
#include "data/image_data.hpp"
#include "pretraining/train_classifier.hpp"
#include "pretraining/train_denoiser.hpp"
#include "text_to_image_task.hpp"

namespace scoreact {
namespace {

struct LabelledImages {
  TrainingBatches training, held_out;
};

LabelledImages labelled_images(const Deck& deck, c10::Device device) {
  const ImageData data = read_images(deck.data);
  const Split split = split_rows(data.count(), deck.data.test_fraction);
  const auto labels = noisy_labels(data.labels, deck.data.label_noise, data.num_classes, deck.run.seed);
  return {TrainingBatches(data, split.train, labels, deck.run.seed, device),
          TrainingBatches(data, split.test, data.labels, deck.run.seed, device)};
}

UnetConfig unet_config(const NetworkOptions& network, const DataOptions& data) {
  UnetConfig config;
  config.sample_height = data.height;
  config.sample_width = data.width;
  config.in_channels = config.out_channels = data.channels;
  config.block_out_channels = network.block_out_channels;
  config.down_block_types = network.down_block_types;
  config.up_block_types = network.up_block_types;
  config.layers_per_block = network.layers_per_block;
  config.norm_num_groups = network.norm_num_groups;
  config.num_class_embeds = data.num_classes + 1; // the last one is the null condition
  check_unet_config(config, "network");
  return config;
}

std::unique_ptr<TrainingTask> pixel_unet_task(const Deck& deck, c10::Device device) {
  auto [training, held_out] = labelled_images(deck, device);
  auto model = std::make_shared<PixelUnet>(unet_config(deck.network, deck.data),
                                           scheduler_from_options(deck.schedule), deck.run.seed);
  model->to(device);
  return std::make_unique<DenoiserTask>(std::move(model), std::move(training), std::move(held_out),
                                        deck.pretrain);
}

std::unique_ptr<TrainingTask> classifier_task(const Deck& deck, c10::Device device) {
  auto [training, held_out] = labelled_images(deck, device);
  auto classifier = std::make_shared<Classifier>(ClassifierConfig{.kind = deck.network.kind,
                                                                  .in_channels = deck.data.channels,
                                                                  .height = deck.data.height,
                                                                  .width = deck.data.width,
                                                                  .num_classes = deck.data.num_classes,
                                                                  .hidden = deck.network.hidden},
                                                 deck.run.seed);
  classifier->to(device);
  return std::make_unique<ClassifierTask>(std::move(classifier), std::move(training), std::move(held_out),
                                          deck.pretrain);
}

} // namespace

std::unique_ptr<TrainingTask> make_training_task(const Deck& deck, c10::Device device,
                                                 const PretrainingPlace& place) {
  if (deck.network.kind == "text_to_image")
    return text_to_image_task(deck, device, place);
  if (deck.network.kind.starts_with("autoencoder_kl"))
    return autoencoder_task(deck, device, place);
  if (deck.network.kind == "clip")
    return two_towers_task(deck, device, place);
  if (deck.network.kind == "pixel_unet")
    return pixel_unet_task(deck, device);
  return classifier_task(deck, device);
}

} // namespace scoreact
