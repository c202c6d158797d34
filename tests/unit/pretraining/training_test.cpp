#include "pretraining/train_classifier.hpp"
#include "pretraining/train_denoiser.hpp"

#include "error/error.hpp"
#include "support/source_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

namespace scoreact {
namespace {

ImageData digits() {
  DataOptions options;
  options.path = testing_support::source_path("inputs/digits/data/digits.csv.gz");
  return read_images(options);
}

PixelUnet tiny_model(std::uint64_t seed) {
  UnetConfig config;
  config.sample_height = config.sample_width = 8;
  config.in_channels = config.out_channels = 1;
  config.block_out_channels = {8, 16};
  config.down_block_types = {"DownBlock2D", "DownBlock2D"};
  config.up_block_types = {"UpBlock2D", "UpBlock2D"};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  config.num_class_embeds = 11;
  ScheduleOptions schedule;
  schedule.kind = "scaled_linear";
  return PixelUnet(config, scheduler_from_options(schedule), seed);
}

PretrainOptions short_run(long iterations) {
  PretrainOptions options;
  options.iterations = iterations;
  options.batch_size = 64;
  options.ema_decay = 0.8;
  options.log_freq = 20;
  return options;
}

std::vector<TrainingReport> train_tiny(PixelUnet& model, std::uint64_t seed, long iterations) {
  const ImageData data = digits();
  const TrainingBatches batches(data, split_rows(data.count(), 0.2).train, data.labels, seed);
  const Communicator ranks;
  std::vector<TrainingReport> reports;
  train_denoiser(model, batches, short_run(iterations), ranks,
                 [&reports](const TrainingReport& report) { reports.push_back(report); });
  return reports;
}

TEST(TrainDenoiser, LearnsToPredictTheNoiseBetterThanGuessingZero) {
  PixelUnet model = tiny_model(1);
  const auto reports = train_tiny(model, 1, 80);
  ASSERT_EQ(reports.size(), 4u);
  EXPECT_EQ(reports.back().iteration, 80);
  // Predicting 0 has loss 1, the variance of the noise.
  EXPECT_GT(reports.front().loss, 0.5);
  EXPECT_LT(reports.back().loss, 0.5);
  EXPECT_LT(reports.back().loss, 0.6 * reports.front().loss);
  EXPECT_GT(reports.front().learning_rate, reports.back().learning_rate);
}

TEST(TrainDenoiser, IsAFunctionOfTheSeed) {
  PixelUnet one = tiny_model(1), again = tiny_model(1), other = tiny_model(1);
  const double loss = train_tiny(one, 5, 3).back().loss;
  EXPECT_EQ(train_tiny(again, 5, 3).back().loss, loss);
  EXPECT_NE(train_tiny(other, 6, 3).back().loss, loss);
  const auto left = one.named_parameters(), right = again.named_parameters();
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(torch::equal(left[i].second, right[i].second)) << left[i].first;
  }
}

TEST(DenoisingLoss, DropsLabelsToTheNullClass) {
  PixelUnet model = tiny_model(2);
  const ImageData data = digits();
  ImageBatch batch = TrainingBatches(data, split_rows(data.count(), 0.2).train, data.labels, 3).draw(0, 32);
  torch::NoGradGuard no_grad;
  const double all_dropped = denoising_loss(model, batch, 1.0, 3, 0).item<double>();
  batch.labels = torch::full({32}, 10L);
  EXPECT_EQ(denoising_loss(model, batch, 0.0, 3, 0).item<double>(), all_dropped);
  batch.labels = torch::full({32}, 4L);
  EXPECT_NE(denoising_loss(model, batch, 0.0, 3, 0).item<double>(), all_dropped);
}

TEST(TrainingBatches, DrawsImagesWithTheirOwnLabels) {
  const ImageData data = digits();
  const std::vector<long> rows = {5, 17, 301};
  const TrainingBatches batches(data, rows, data.labels, 3);
  const ImageBatch all = batches.all(), drawn = batches.draw(4, 50);
  ASSERT_EQ(drawn.images.sizes(), (std::vector<std::int64_t>{50, 1, 8, 8}));
  std::set<long> met;
  for (long i = 0; i < 50; ++i) {
    long match = -1;
    for (long r = 0; r < 3; ++r) {
      if (torch::equal(drawn.images[i], all.images[r])) {
        match = r;
      }
    }
    ASSERT_GE(match, 0);
    met.insert(match);
    EXPECT_EQ(drawn.labels[i].item<long>(), all.labels[match].item<long>());
  }
  EXPECT_EQ(met.size(), 3u);
  EXPECT_TRUE(torch::equal(batches.draw(4, 50).images, drawn.images));
  EXPECT_FALSE(torch::equal(batches.draw(5, 50).labels, drawn.labels));
}

class TrainClassifier : public ::testing::TestWithParam<const char*> {};

TEST_P(TrainClassifier, ReachesNinetyPercentOnImagesItHasNotSeen) {
  const ImageData data = digits();
  const Split split = split_rows(data.count(), 0.2);
  ClassifierConfig config;
  config.kind = GetParam();
  Classifier classifier(config, 4);
  const ImageBatch test = TrainingBatches(data, split.test, data.labels, 4).all();
  EXPECT_LT(evaluate_classifier(classifier, test).accuracy, 0.4);
  const Communicator ranks;
  train_classifier(classifier, TrainingBatches(data, split.train, data.labels, 4), short_run(200), ranks,
                   [](const TrainingReport&) {});
  const ClassifierScore score = evaluate_classifier(classifier, test);
  EXPECT_GT(score.accuracy, 0.9);
  EXPECT_GT(score.log_likelihood, -0.6);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TrainClassifier, ::testing::Values("classifier_cnn", "classifier_mlp"));

} // namespace
} // namespace scoreact
