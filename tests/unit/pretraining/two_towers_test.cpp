#include "pretraining/train_two_towers.hpp"

#include "models/clip/clip_pixels.hpp"
#include "models/clip/initial_values.hpp"
#include "pretraining/trainer.hpp"
#include "pretraining/training_batches.hpp"
#include "rewards/clip_score.hpp"
#include "text/byte_pair_trainer.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::TemporaryFolder;

at::Tensor unit_rows(const at::Tensor& x) { return x / x.norm(2, 1, true); }

TEST(ContrastiveLosses, AgreeWithPlainLoops) {
  torch::manual_seed(2);
  const at::Tensor images = unit_rows(torch::randn({5, 3}, at::kDouble));
  const at::Tensor texts = unit_rows(torch::randn({5, 3}, at::kDouble));
  const std::vector<std::int64_t> group = {0, 1, 0, 2, 1};
  const double scale = 7;
  const at::Tensor losses =
      contrastive_losses(images, texts, torch::tensor(scale, at::kDouble), torch::tensor(group, at::kLong));
  const at::Tensor cosines = at::matmul(images, texts.t());
  for (std::size_t i = 0; i < 5; ++i) {
    double among_texts = 0, among_images = 0;
    const auto cosine = [&](std::size_t image, std::size_t text) {
      return cosines[static_cast<long>(image)][static_cast<long>(text)].item<double>();
    };
    for (std::size_t j = 0; j < 5; ++j) {
      if (j == i || group[j] != group[i]) {
        among_texts += std::exp(scale * cosine(i, j));
        among_images += std::exp(scale * cosine(j, i));
      }
    }
    const double expected = 0.5 * (std::log(among_texts) + std::log(among_images)) - scale * cosine(i, i);
    EXPECT_NEAR(losses[static_cast<long>(i)].item<double>(), expected, 1e-12);
  }
}

TEST(Blurred, AgreesWithPlainLoops) {
  torch::manual_seed(3);
  const at::Tensor x = torch::randn({2, 3, 4, 5});
  const at::Tensor y = blurred(x, torch::tensor({0.0f, 0.6f}));
  EXPECT_TRUE(torch::equal(y[0], x[0]));
  const auto at_edge = [](long i, long length) { return std::min(std::max(i, 0L), length - 1); };
  const double weights[3] = {0.25, 0.5, 0.25};
  for (long i = 0; i < 4; ++i) {
    for (long j = 0; j < 5; ++j) {
      double sum = 0;
      for (long a = -1; a <= 1; ++a) {
        for (long b = -1; b <= 1; ++b) {
          sum +=
              weights[a + 1] * weights[b + 1] * x[1][2][at_edge(i + a, 4)][at_edge(j + b, 5)].item<double>();
        }
      }
      EXPECT_NEAR(y[1][2][i][j].item<double>(), 0.4 * x[1][2][i][j].item<double>() + 0.6 * sum, 1e-6);
    }
  }
}

TEST(GroupsOf, NumbersEqualTextsAlike) {
  const at::Tensor groups = groups_of({"b", "a", "b", "c", "a"});
  EXPECT_TRUE(torch::equal(groups, torch::tensor({0, 1, 0, 2, 1}, at::kLong)));
}

/// Squares of six colours on gray, 8 x 8, with captions that name the colour.
CaptionedPictures squares(long count) {
  static const std::vector<std::string> names = {"red", "green", "blue", "yellow", "pink", "cyan"};
  static const long colours[6][3] = {{255, 0, 0},   {0, 255, 0},   {0, 0, 255},
                                     {255, 255, 0}, {255, 0, 255}, {0, 255, 255}};
  CaptionedPictures all;
  all.height = all.width = 8;
  for (long i = 0; i < count; ++i) {
    const std::size_t which = static_cast<std::size_t>(i % 6);
    const long left = i / 6 % 3, top = i / 18 % 3;
    for (long channel = 0; channel < 3; ++channel) {
      for (long p = 0; p < 64; ++p) {
        const long x = p % 8 - left, y = p / 8 - top;
        const bool inside = x >= 0 && x < 5 && y >= 0 && y < 5;
        all.pixels.push_back(static_cast<std::uint8_t>(inside ? colours[which][channel] : 100 + 5 * (i % 5)));
      }
    }
    all.names.push_back(names[which]);
    all.captions.push_back(i % 4 == 0 ? names[which] : "a " + names[which] + " square");
  }
  return all;
}

class TwoTowers : public ::testing::Test {
 protected:
  TwoTowers() {
    const CaptionedPictures all = squares(120);
    train_byte_pairs(all.captions, 560, 8, tokenizer());
    std::vector<long> first, rest;
    for (long row = 0; row < 120; ++row) {
      (row < 96 ? first : rest).push_back(row);
    }
    training_ = captioned_rows(all, first);
    held_out_ = captioned_rows(all, rest);
    options_.iterations = 80;
    options_.batch_size = 24;
    options_.micro_batch_size = 8;
    options_.learning_rate = 3e-3;
    options_.ema_decay = 0.8;
    options_.log_freq = 20;
    options_.input_noise = 0.1;
    options_.blur = 0.5;
  }
  std::filesystem::path tokenizer() const { return folder_ / "tokenizer"; }

  std::shared_ptr<Clip> network(std::uint64_t seed) const {
    const ClipTokenizer words(tokenizer().string());
    ClipConfig config;
    config.text.encoder = {.hidden_size = 16, .intermediate_size = 32, .layers = 1, .heads = 2};
    config.text.vocab_size = static_cast<long>(words.size());
    config.text.max_position_embeddings = 8;
    config.text.eos_token_id = words.end();
    config.vision.encoder = {.hidden_size = 16, .intermediate_size = 32, .layers = 1, .heads = 2};
    config.vision.image_size = 8;
    config.vision.patch_size = 4;
    config.text.projection_dim = config.vision.projection_dim = 12;
    auto clip = std::make_shared<Clip>(config);
    NamedTensors tensors;
    for (const auto& item : clip->named_parameters()) {
      tensors.emplace_back(item.key(), item.value());
    }
    initialise_clip(tensors, 1, 1, seed);
    return clip;
  }

  TwoTowersTask task(const std::shared_ptr<Clip>& clip) const {
    return {clip, tokenizer().string(), training_, held_out_, options_, 11};
  }

  TemporaryFolder folder_;
  CaptionedRows training_, held_out_;
  PretrainOptions options_;
  Communicator ranks_{MPI_COMM_SELF};
};

TEST_F(TwoTowers, MicroBatchesGiveTheGradientOfTheWholeBatch) {
  options_.input_noise = options_.blur = 0;
  const auto clip = network(1);
  TwoTowersTask towers = task(clip);
  towers.prepare(3, make_shard(24, 8, 0, 1, "x"), ranks_);
  double value = 0;
  for (long first = 0; first < 24; first += 8) {
    const at::Tensor part = towers.loss({3, first, 8});
    (part / 3).backward();
    value += part.item<double>() / 3;
  }
  std::map<std::string, at::Tensor> found;
  for (const auto& item : clip->named_parameters()) {
    found[item.key()] = item.value().grad().clone();
    item.value().mutable_grad().reset();
  }
  // The same as one graph without any gathering.
  const at::Tensor chosen = random_integers(11, 3, 0, 0, 24, training_.count());
  const ClipTokenizer words(tokenizer().string());
  std::vector<at::Tensor> tokens;
  std::vector<std::string> captions;
  for (long i = 0; i < 24; ++i) {
    captions.push_back(training_.captions[static_cast<std::size_t>(chosen[i].item<long>())]);
    tokens.push_back(torch::tensor(words.encode(captions.back(), 8), at::kLong));
  }
  const at::Tensor images =
      unit_rows(clip->image_embeds(clip_pixel_values(pixels_of(training_.pictures, chosen), 8)));
  const at::Tensor texts = unit_rows(clip->text_embeds(at::stack(tokens)));
  const at::Tensor loss =
      contrastive_losses(images, texts, clip->logit_scale().exp(), groups_of(captions)).mean();
  loss.backward();
  EXPECT_NEAR(value, loss.item<double>(), 1e-5);
  double largest = 0;
  for (const auto& item : clip->named_parameters()) {
    const at::Tensor expected = item.value().grad();
    const double scale = expected.abs().max().item<double>();
    largest = std::max(largest, scale);
    EXPECT_LT((found[item.key()] - expected).abs().max().item<double>(), 1e-4 * scale + 1e-7) << item.key();
  }
  EXPECT_GT(largest, 1e-3);
}

TEST(DrawnRows, AreThoseOfTheWholeBatchWhateverPartIsAskedFor) {
  for (const long range : {0L, 5L}) {
    const at::Tensor whole = drawn_rows(7, 3, 0, 40, 100, range);
    for (const auto& [first, count] : {std::pair{0L, 8L}, {6L, 9L}, {39L, 1L}}) {
      EXPECT_TRUE(drawn_rows(7, 3, first, count, 100, range).equal(whole.narrow(0, first, count)));
    }
  }
}

TEST(DrawnRows, OfAFourLieWithinTheRangeOfItsFirst) {
  constexpr long kRows = 1000, kRange = 6, kBatch = 40000;
  const at::Tensor fours = drawn_rows(7, 3, 0, kBatch, kRows, kRange).view({-1, 4});
  EXPECT_GE(fours.min().item<long>(), 0);
  EXPECT_LT(fours.max().item<long>(), kRows);
  const at::Tensor away =
      (fours.narrow(1, 1, 3) - fours.narrow(1, 0, 1) + kRows / 2).remainder(kRows) - kRows / 2;
  EXPECT_EQ(away.abs().max().item<long>(), kRange); // round the end, too
  // The first and the others alike are uniform: mean within 4 standard errors.
  const double spread = kRows / std::sqrt(12.0);
  for (const long column : {0L, 3L}) {
    EXPECT_NEAR(fours.select(1, column).to(at::kDouble).mean().item<double>(), (kRows - 1) / 2.0,
                4 * spread / std::sqrt(kBatch / 4.0));
  }
  const double steps = std::sqrt(((2 * kRange + 1) * (2 * kRange + 1) - 1) / 12.0);
  EXPECT_NEAR(away.to(at::kDouble).mean().item<double>(), 0, 4 * steps / std::sqrt(0.75 * kBatch));
}

TEST_F(TwoTowers, EqualCaptionsAreNoWrongAnswers) {
  const CaptionedRows all = training_;
  training_ = {all.pictures.narrow(0, 0, 1), {all.captions[0]}, {all.names[0]}}; // every draw is row 0
  const auto clip = network(1);
  TwoTowersTask towers = task(clip);
  towers.prepare(0, make_shard(8, 8, 0, 1, "x"), ranks_);
  const at::Tensor loss = towers.loss({0, 0, 8});
  EXPECT_NEAR(loss.item<double>(), 0, 1e-6); // nothing is left to tell apart
}

TEST_F(TwoTowers, LearnsWhichCaptionBelongsToAPicture) {
  const auto clip = network(2);
  TwoTowersTask towers = task(clip);
  EXPECT_LT(towers.held_out()[0], 0.6);
  std::vector<TrainingReport> reports;
  train(towers, options_, ranks_, [&](const TrainingReport& report) { reports.push_back(report); });
  EXPECT_LT(reports.back().loss, 0.5 * reports.front().loss);
  const auto figures = towers.held_out();
  EXPECT_GT(figures[0], 0.9);
  EXPECT_GT(figures[1], figures[2] + 0.3);

  towers.save((folder_ / "clip").string());
  const auto reward = make_clip_score((folder_ / "clip").string(), {"red", "a blue square"}, c10::kCPU);
  const at::Tensor pictures = pixels_of(training_.pictures, torch::tensor({0, 2}, at::kLong)); // red, blue
  const auto score = [&](long prompt) {
    torch::NoGradGuard no_grad;
    return (*reward)(pictures, torch::full({2}, prompt, at::kLong));
  };
  EXPECT_GT(score(0)[0].item<double>(), score(0)[1].item<double>() + 0.3);
  EXPECT_GT(score(1)[1].item<double>(), score(1)[0].item<double>() + 0.3);
}

TEST_F(TwoTowers, TheScaleStaysBelowOneHundred) {
  const auto clip = network(1);
  TwoTowersTask towers = task(clip);
  {
    torch::NoGradGuard no_grad;
    at::Tensor scale = clip->logit_scale();
    scale.fill_(9);
  }
  towers.prepare(0, make_shard(8, 8, 0, 1, "x"), ranks_);
  EXPECT_NEAR(clip->logit_scale().item<double>(), std::log(100.0), 1e-6);
}

TEST_F(TwoTowers, RefusesPicturesAndTokenizersThatDoNotFit) {
  CaptionedRows wide = training_;
  wide.pictures = torch::zeros({96, 3, 8, 12}, at::kByte);
  expect_error(ExitCode::data, "takes pictures of 8 x 8, found 8 x 12",
               [&] { TwoTowersTask towers(network(1), tokenizer().string(), wide, held_out_, options_, 1); });
  train_byte_pairs(training_.captions, 514, 8, tokenizer());
  const auto clip = network(1);
  train_byte_pairs(training_.captions, 560, 8, tokenizer());
  expect_error(ExitCode::data, "the text tower's vocabulary has",
               [&] { TwoTowersTask towers(clip, tokenizer().string(), training_, held_out_, options_, 1); });
}

} // namespace
} // namespace scoreact
