#include "pretraining/train_text_to_image.hpp"

#include "error/error.hpp"
#include "fixtures/fixture_files.hpp"
#include "models/clip/initial_values.hpp"
#include "models/stable_diffusion/stable_diffusion.hpp"
#include "pretraining/trainer.hpp"
#include "pretraining/training_batches.hpp"
#include "text/clip_tokenizer.hpp"
#include "unit/store/temporary_folder.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace scoreact {
namespace {

using testing_store::TemporaryFolder;

constexpr long kVocabulary = 520, kLength = 8, kPictures = 24;
constexpr const char* kVaeConfig = R"({
  "_class_name": "AutoencoderKL",
  "block_out_channels": [8, 8],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
  "in_channels": 3, "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4,
  "out_channels": 3, "sample_size": 8, "scaling_factor": 0.5,
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]
}
)";

NamedTensors tensors_of(const torch::nn::Module& network) {
  NamedTensors tensors;
  for (const auto& item : network.named_parameters())
    tensors.emplace_back(item.key(), item.value());
  return tensors;
}

Unet2dConditionConfig unet_config() {
  Unet2dConditionConfig config;
  config.sample_height = config.sample_width = 4;
  config.levels = {{.channels = 16, .layers = 1, .heads = 2, .context_width = 16},
                   {.channels = 24,
                    .layers = 1,
                    .heads = 3,
                    .context_width = 16,
                    .attention_down = false,
                    .attention_up = false}};
  config.norm_num_groups = 4;
  return config;
}

/// A text-to-image model of a few thousand weights, with data that are noise and captions of one word.
class TextToImage : public ::testing::Test {
 protected:
  TextToImage() {
    write_byte_tokenizer(tokenizer(), kVocabulary, kLength);
    write_fixture_text(vae() / "config.json", kVaeConfig);
    torch::manual_seed(3);
  }
  std::filesystem::path tokenizer() const { return folder_ / "tokenizer"; }
  std::filesystem::path vae() const { return folder_ / "vae"; }

  TextToImageNetworks networks(std::uint64_t seed) const {
    auto unet = std::make_shared<UNet2DCondition>(unet_config(), at::detail::createCPUGenerator(seed));
    ClipTextConfig config;
    config.encoder = {.hidden_size = 16, .intermediate_size = 32, .layers = 1, .heads = 2};
    config.vocab_size = kVocabulary;
    config.max_position_embeddings = kLength;
    config.eos_token_id = kVocabulary - 1;
    auto text = std::make_shared<ClipText>(config);
    initialise_clip(tensors_of(*text), 1, 0, seed);
    auto vae_network =
        std::make_shared<AutoencoderKL>(read_autoencoder_kl_config((vae() / "config.json").string()));
    torch::NoGradGuard no_grad;
    for (at::Tensor& parameter : vae_network->parameters())
      parameter.uniform_(-0.2, 0.2).set_requires_grad(false);
    ScheduleOptions schedule;
    schedule.kind = "scaled_linear";
    return {unet, text, vae_network, scheduler_from_options(schedule)};
  }

  at::Tensor tokens_of(const std::vector<std::string>& texts) const {
    const ClipTokenizer clip(tokenizer().string());
    std::vector<std::int64_t> ids;
    for (const std::string& text : texts) {
      const auto row = clip.encode(text, kLength);
      ids.insert(ids.end(), row.begin(), row.end());
    }
    return at::tensor(ids, at::kLong).view({-1, kLength});
  }

  CaptionedLatents data() const {
    std::vector<std::string> captions;
    for (long i = 0; i < kPictures; ++i)
      captions.push_back(i % 3 == 0 ? "cat" : i % 3 == 1 ? "dog" : "a bee");
    return {{mean_, logvar_}, tokens_of(captions)};
  }

  TextToImageTask task(const TextToImageNetworks& all, const PretrainOptions& options) const {
    const CaptionedSampleOptions samples = {
        {"cat", "dog"}, tokens_of({"cat", "dog", ""}), 4, {.num_steps = 3, .guidance_scale = 3.0}};
    return {all, data(), data(), samples, {vae().string(), tokenizer().string()}, options, 7};
  }

  static PretrainOptions options() {
    PretrainOptions options;
    options.iterations = 60;
    options.batch_size = 16;
    options.micro_batch_size = 8;
    options.learning_rate = 4e-3;
    options.text_learning_rate = 1e-3;
    options.ema_decay = 0.8;
    options.log_freq = 20;
    return options;
  }

  const TemporaryFolder folder_;
  const at::Tensor mean_ = at::randn({kPictures, 4, 4, 4}, at::detail::createCPUGenerator(5));
  const at::Tensor logvar_ = at::randn({kPictures, 4, 4, 4}, at::detail::createCPUGenerator(6));
};

TEST(MinSnrWeights, AreThoseOfHangEtAl) {
  ScheduleOptions options;
  options.kind = "scaled_linear";
  const Schedule schedule = scheduler_from_options(options).schedule;
  const std::vector<double> weights = min_snr_weights(schedule, 5), none = min_snr_weights(schedule, 0);
  double abar = 1;
  long cut = 0;
  for (long i = 0; i < 1000; ++i) { // betas of diffusers' scaled_linear
    const double root = std::sqrt(0.00085) + (std::sqrt(0.012) - std::sqrt(0.00085)) * i / 999.0;
    abar *= 1 - root * root;
    const double snr = abar / (1 - abar);
    const double expected = snr > 5 ? 5 / snr : 1;
    cut += snr > 5 ? 1 : 0;
    ASSERT_NEAR(weights[static_cast<std::size_t>(i)], expected, 1e-9 * expected) << i;
    ASSERT_EQ(none[static_cast<std::size_t>(i)], 1);
  }
  EXPECT_GT(cut, 100);
  EXPECT_LT(cut, 500);
}

TEST(DropCaptions, EmptiesTheRowsWhoseNumberIsBelowTheShare) {
  const at::Tensor tokens = at::arange(12, at::kLong).view({4, 3}), empty = at::full({3}, 99L);
  const at::Tensor kept = drop_captions(tokens, empty, at::tensor({0.05, 0.1, 0.9, 0.0999}), 0.1);
  for (long row = 0; row < 4; ++row)
    for (long i = 0; i < 3; ++i)
      EXPECT_EQ(kept[row][i].item<long>(), row == 0 || row == 3 ? 99 : 3 * row + i);
}

TEST_F(TextToImage, LossIsThatOfAPlainLoopOverTheRows) {
  const TextToImageNetworks all = networks(1);
  PretrainOptions settings = options();
  settings.caption_dropout = 0.4;
  TextToImageTask trained = task(all, settings);
  torch::NoGradGuard no_grad;
  const long first = 8, iteration = 5;
  const double found = trained.loss({iteration, first, 8}).item<double>();

  const CaptionedLatents rows = data();
  const Schedule& schedule = all.scheduler.schedule;
  const std::vector<double> weights = min_snr_weights(schedule, 5);
  const at::Tensor empty = tokens_of({""});
  double expected = 0;
  long dropped = 0;
  for (long row = first; row < first + 8; ++row) {
    const long picture = random_integers(7, iteration, 0, row, 1, kPictures).item<long>();
    const long time = random_integers(7, iteration, 1, row, 1, 1000).item<long>();
    const bool drop = random_uniform(7, iteration, 2, row, 1).item<double>() < 0.4;
    dropped += drop ? 1 : 0;
    const at::Tensor mean = mean_.narrow(0, picture, 1);
    const at::Tensor z = 0.5 * (mean + (0.5 * logvar_.narrow(0, picture, 1)).exp() *
                                           random_normal_like(mean, 7, iteration, row, 1));
    const at::Tensor noise = random_normal_like(mean, 7, iteration, row);
    const double abar = schedule.alphas_cumprod()[static_cast<std::size_t>(time)];
    const at::Tensor context =
        all.text_encoder->forward(drop ? empty : rows.tokens.narrow(0, picture, 1)).last_hidden_state;
    const at::Tensor guess = all.unet->forward(std::sqrt(abar) * z + std::sqrt(1 - abar) * noise,
                                               at::full({1}, static_cast<float>(time)), context);
    expected += weights[static_cast<std::size_t>(time)] * at::mse_loss(guess, noise).item<double>() / 8;
  }
  EXPECT_GT(dropped, 0);
  EXPECT_LT(dropped, 8);
  EXPECT_NEAR(found, expected, 1e-5 * expected);
}

TEST_F(TextToImage, HeldOutErrorIsNotWeightedAndDoesNotDependOnTheSizeOfCalls) {
  const TextToImageNetworks all = networks(1);
  PretrainOptions settings = options();
  const double together = task(all, settings).held_out().front();
  settings.micro_batch_size = 5;
  settings.min_snr_gamma = 0.1;
  settings.caption_dropout = 1;
  EXPECT_NEAR(task(all, settings).held_out().front(), together, 1e-5 * together);
  EXPECT_GT(together, 0.5);
  EXPECT_LT(together, 2);
}

TEST_F(TextToImage, LearnsAndTrainsTheTextEncoderToo) {
  const TextToImageNetworks all = networks(2);
  TextToImageTask trained = task(all, options());
  const at::Tensor words = tensors_of(*all.text_encoder).front().second, before = words.detach().clone();
  const double at_first = trained.held_out().front();
  std::vector<double> losses;
  const Communicator ranks(MPI_COMM_SELF);
  train(trained, options(), ranks, [&](const TrainingReport& report) { losses.push_back(report.loss); });
  EXPECT_LT(losses.back(), 0.9 * losses.front());
  EXPECT_LT(trained.held_out().front(), 0.9 * at_first);
  EXPECT_FALSE(torch::equal(words, before));
}

TEST_F(TextToImage, SamplesAreTheSameEveryTimeAndDifferByTheirNoise) {
  TextToImageTask trained = task(networks(2), options());
  const at::Tensor pictures = trained.samples();
  ASSERT_EQ(pictures.sizes(), (std::vector<std::int64_t>{4, 3, 8, 8}));
  EXPECT_EQ(trained.columns(), 2);
  EXPECT_TRUE(torch::equal(trained.samples(), pictures));
  EXPECT_FALSE(torch::equal(pictures[0], pictures[2])); // the same prompt, other noise
}

TEST_F(TextToImage, SavesAPipelineThatPredictsTheSameToHalfPrecision) {
  const TextToImageNetworks all = networks(2);
  const std::filesystem::path saved = folder_ / "model";
  task(all, options()).save(saved.string());
  torch::NoGradGuard no_grad;
  const auto loaded = StableDiffusion::load(saved.string(), {}, {{"cat", "a bee"}, ""}, {}, at::kCPU);
  const auto built = StableDiffusion::assemble(
      all.unet, all.vae, all.text_encoder->forward(tokens_of({"cat", "a bee", ""})).last_hidden_state,
      all.scheduler);
  const at::Tensor x = at::randn({3, 4, 4, 4}), prompt = at::tensor({0L, 1L, -1L});
  const RowTimes times = row_times(loaded->schedule(), {{0.4, 0.3}}, 3, x);
  const at::Tensor found = loaded->predict(x, times, prompt), expected = built->predict(x, times, prompt);
  EXPECT_LT(((found - expected).norm() / expected.norm()).item<double>(), 3e-3);
  const at::Tensor pixels = built->to_pixels(x);
  EXPECT_LT(((loaded->to_pixels(x) - pixels).norm() / pixels.norm()).item<double>(), 3e-3);
  EXPECT_EQ(loaded->scheduler().class_name, "DDIMScheduler");
  for (const auto& [name, tensor] :
       read_weights((saved / "unet/diffusion_pytorch_model.safetensors").string()))
    EXPECT_EQ(tensor.scalar_type(), at::kHalf) << name;
}

TEST(WriteUnet2dConditionConfig, IsReadBackAsItWas) {
  const TemporaryFolder folder;
  Unet2dConditionConfig config = unet_config();
  config.sample_width = 6;
  config.time_embedding_dim = 48;
  config.use_linear_projection = config.scale_shift = true;
  const std::string path = (folder / "config.json").string();
  write_unet2d_condition_config(config, path);
  const Unet2dConditionConfig found = read_unet2d_condition_config(path);
  EXPECT_EQ(found.sample_height, 4);
  EXPECT_EQ(found.sample_width, 6);
  EXPECT_EQ(found.time_embedding_dim, 48);
  EXPECT_TRUE(found.use_linear_projection && found.scale_shift && found.mid_block);
  ASSERT_EQ(found.levels.size(), 2u);
  EXPECT_EQ(found.levels[1].channels, 24);
  EXPECT_EQ(found.levels[0].heads, 2);
  EXPECT_EQ(found.levels[1].heads, 3);
  EXPECT_TRUE(found.levels[0].attention_down && found.levels[0].attention_up);
  EXPECT_FALSE(found.levels[1].attention_down || found.levels[1].attention_up);
  EXPECT_EQ(found.levels[1].context_width, 16);
}

TEST(InitialiseClip, GivesTheDeviationsOfTransformers) {
  ClipTextConfig text;
  text.encoder = {.hidden_size = 128, .intermediate_size = 512, .layers = 3, .heads = 4};
  text.vocab_size = 1000;
  text.max_position_embeddings = 24;
  const ClipText network(text);
  initialise_clip(tensors_of(network), 3, 0, 1);
  std::map<std::string, double> expected = {
      {"q_proj.weight", 1 / std::sqrt(128 * 6.0)}, {"v_proj.weight", 1 / std::sqrt(128 * 6.0)},
      {"out_proj.weight", 1 / std::sqrt(128.0)},   {"fc1.weight", 1 / std::sqrt(256.0)},
      {"fc2.weight", 1 / std::sqrt(128 * 6.0)},    {"token_embedding.weight", 0.02}};
  long checked = 0;
  for (const auto& [name, tensor] : tensors_of(network)) {
    EXPECT_TRUE(tensor.requires_grad()) << name;
    for (const auto& [ending, deviation] : expected)
      if (name.ends_with(ending)) {
        EXPECT_NEAR(tensor.std().item<double>(), deviation, 0.05 * deviation) << name;
        ++checked;
      }
    if (name.ends_with(".bias")) {
      EXPECT_EQ(tensor.abs().max().item<double>(), 0) << name;
    } else if (name.find("norm") != std::string::npos) {
      EXPECT_TRUE(torch::equal(tensor, at::ones_like(tensor))) << name;
    }
  }
  EXPECT_EQ(checked, 16);
}

} // namespace
} // namespace scoreact
