#include "pretraining/train_classifier.hpp"
#include "pretraining/train_denoiser.hpp"

#include "error/error.hpp"
#include "pretraining/trainer.hpp"
#include "support/source_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <set>

namespace scoreact {
namespace {

ImageData digits() {
  DataOptions options;
  options.path = testing_support::source_path("inputs/digits/data/digits.csv.gz");
  return read_images(options);
}

std::shared_ptr<PixelUnet> tiny_model(std::uint64_t seed) {
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
  return std::make_shared<PixelUnet>(config, scheduler_from_options(schedule), seed);
}

PretrainOptions short_run(long iterations) {
  PretrainOptions options;
  options.iterations = iterations;
  options.batch_size = 64;
  options.ema_decay = 0.8;
  options.log_freq = 20;
  return options;
}

/// All digits but those held out, and those.
DenoiserTask digits_task(std::shared_ptr<PixelUnet> model, std::uint64_t seed,
                         const PretrainOptions& options) {
  const ImageData data = digits();
  const Split split = split_rows(data.count(), 0.2);
  return {std::move(model), TrainingBatches(data, split.train, data.labels, seed),
          TrainingBatches(data, split.test, data.labels, seed), options};
}

std::vector<TrainingReport> train_tiny(const std::shared_ptr<PixelUnet>& model, std::uint64_t seed,
                                       const PretrainOptions& options) {
  DenoiserTask task = digits_task(model, seed, options);
  const Communicator ranks(MPI_COMM_SELF);
  std::vector<TrainingReport> reports;
  train(task, options, ranks, [&reports](const TrainingReport& report) { reports.push_back(report); });
  return reports;
}

TEST(TrainDenoiser, LearnsToPredictTheNoiseBetterThanGuessingZero) {
  const auto reports = train_tiny(tiny_model(1), 1, short_run(80));
  ASSERT_EQ(reports.size(), 4u);
  EXPECT_EQ(reports.back().iteration, 80);
  // Predicting 0 has loss 1, the variance of the noise.
  EXPECT_GT(reports.front().loss, 0.5);
  EXPECT_LT(reports.back().loss, 0.5);
  EXPECT_LT(reports.back().loss, 0.6 * reports.front().loss);
  EXPECT_GT(reports.front().learning_rate, reports.back().learning_rate);
}

TEST(TrainDenoiser, IsAFunctionOfTheSeed) {
  const auto one = tiny_model(1), again = tiny_model(1), other = tiny_model(1);
  const double loss = train_tiny(one, 5, short_run(3)).back().loss;
  EXPECT_EQ(train_tiny(again, 5, short_run(3)).back().loss, loss);
  EXPECT_NE(train_tiny(other, 6, short_run(3)).back().loss, loss);
  const auto left = one->named_parameters(), right = again->named_parameters();
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(torch::equal(left[i].second, right[i].second)) << left[i].first;
  }
}

TEST(TrainDenoiser, HasTheSameGradientHoweverTheBatchIsCut) {
  std::vector<double> losses, norms;
  for (const long micro_batch : {64, 16, 8}) {
    PretrainOptions options = short_run(1);
    options.micro_batch_size = micro_batch;
    const TrainingReport report = train_tiny(tiny_model(3), 2, options).front();
    losses.push_back(report.loss);
    norms.push_back(report.grad_norm);
  }
  for (std::size_t i = 1; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i], losses[0], 1e-5 * losses[0]);
    EXPECT_NEAR(norms[i], norms[0], 1e-4 * norms[0]);
  }
}

TEST(DenoisingLoss, DropsLabelsToTheNullClass) {
  const auto model = tiny_model(2);
  const ImageData data = digits();
  const BatchRows rows = {0, 0, 32};
  ImageBatch batch = TrainingBatches(data, split_rows(data.count(), 0.2).train, data.labels, 3).draw(rows);
  torch::NoGradGuard no_grad;
  const double all_dropped = denoising_loss(*model, batch, 1.0, 3, rows).item<double>();
  batch.labels = torch::full({32}, 10L);
  EXPECT_EQ(denoising_loss(*model, batch, 0.0, 3, rows).item<double>(), all_dropped);
  batch.labels = torch::full({32}, 4L);
  EXPECT_NE(denoising_loss(*model, batch, 0.0, 3, rows).item<double>(), all_dropped);
}

TEST(Trainer, GoesOnFromItsStateWithTheSameBits) {
  const PretrainOptions options = short_run(7);
  DenoiserTask whole = digits_task(tiny_model(1), 5, options), cut = digits_task(tiny_model(1), 5, options);
  const Communicator ranks(MPI_COMM_SELF);
  Trainer undisturbed(whole, options, ranks, true), stopped(cut, options, ranks, true);
  for (long i = 0; i < 5; ++i)
    undisturbed.step();
  for (long i = 0; i < 3; ++i)
    stopped.step();
  DenoiserTask later = digits_task(tiny_model(8), 5, options); // other initial values, to be overwritten
  Trainer continued(later, options, ranks, true);
  torch::NoGradGuard no_grad;
  at::Tensor(continued.optimizer().parameters().values()).copy_(stopped.optimizer().parameters().values());
  const auto from = stopped.optimizer().state();
  const auto to = continued.optimizer().state();
  for (std::size_t i = 0; i < from.size(); ++i)
    at::Tensor(to[i].second).copy_(from[i].second);
  continued.optimizer().set_steps(3);
  continued.restore(stopped.state());
  torch::AutoGradMode with_grad(true);
  continued.step();
  continued.step();
  EXPECT_TRUE(torch::equal(continued.optimizer().parameters().values(),
                           undisturbed.optimizer().parameters().values()));
  EXPECT_TRUE(torch::equal(continued.optimizer().ema(), undisturbed.optimizer().ema()));
  const TrainingReport one = undisturbed.report(), other = continued.report();
  EXPECT_EQ(one.loss, other.loss);
  EXPECT_EQ(one.grad_norm, other.grad_norm);
}

TEST(Trainer, ShowsTheAverageAndGivesTheWeightsBackEvenAfterAnError) {
  const PretrainOptions options = short_run(3);
  DenoiserTask task = digits_task(tiny_model(1), 5, options);
  const Communicator ranks(MPI_COMM_SELF);
  Trainer trainer(task, options, ranks, true);
  trainer.step();
  trainer.step();
  const at::Tensor& weights = trainer.optimizer().parameters().values();
  const at::Tensor trained = weights.clone(), average = trainer.optimizer().ema().clone();
  ASSERT_FALSE(torch::equal(trained, average));
  EXPECT_THROW(trainer.with_average([&] {
    EXPECT_TRUE(torch::equal(weights, average));
    SCOREACT_FAIL(ExitCode::io, "disk full");
  }),
               Error);
  EXPECT_TRUE(torch::equal(weights, trained));
}

/// A loss that is not a number from some iteration on.
class DivergingTask : public TrainingTask {
 public:
  std::vector<ParameterGroup> parameters() override {
    ParameterGroup group;
    group.tensors.emplace_back("weight", weight_);
    return {group};
  }
  at::Tensor loss(const BatchRows& rows) override {
    return weight_.sum() * (rows.iteration < 2 ? 1.0 : std::nan(""));
  }
  void save(const std::string&) override {}

 private:
  at::Tensor weight_ = torch::ones({3}, torch::requires_grad());
};

TEST(Trainer, NamesTheIterationInWhichTheLossIsNotFinite) {
  DivergingTask task;
  const Communicator ranks(MPI_COMM_SELF);
  try {
    train(task, short_run(20), ranks, [](const TrainingReport&) {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("at iteration 2"), std::string::npos) << error.what();
  }
}

TEST(TrainingBatches, DrawsImagesWithTheirOwnLabels) {
  const ImageData data = digits();
  const std::vector<long> rows = {5, 17, 301};
  const TrainingBatches batches(data, rows, data.labels, 3);
  const ImageBatch all = batches.all(), drawn = batches.draw({4, 0, 50});
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
  EXPECT_TRUE(torch::equal(batches.draw({4, 20, 30}).images, drawn.images.narrow(0, 20, 30)));
  EXPECT_FALSE(torch::equal(batches.draw({5, 0, 50}).labels, drawn.labels));
}

class TrainClassifier : public ::testing::TestWithParam<const char*> {};

TEST_P(TrainClassifier, ReachesNinetyPercentOnImagesItHasNotSeen) {
  const ImageData data = digits();
  const Split split = split_rows(data.count(), 0.2);
  ClassifierConfig config;
  config.kind = GetParam();
  const auto classifier = std::make_shared<Classifier>(config, 4);
  const TrainingBatches held_out(data, split.test, data.labels, 4);
  EXPECT_LT(evaluate_classifier(*classifier, held_out.all()).accuracy, 0.4);
  const PretrainOptions options = short_run(200);
  ClassifierTask task(classifier, TrainingBatches(data, split.train, data.labels, 4), held_out, options);
  const Communicator ranks(MPI_COMM_SELF);
  train(task, options, ranks, [](const TrainingReport&) {});
  const std::vector<double> score = task.held_out();
  EXPECT_GT(score[0], 0.9);
  EXPECT_GT(score[1], -0.6);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TrainClassifier, ::testing::Values("classifier_cnn", "classifier_mlp"));

} // namespace
} // namespace scoreact
