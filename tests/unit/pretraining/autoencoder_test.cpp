#include "pretraining/train_autoencoder.hpp"

#include "pretraining/trainer.hpp"
#include "unit/store/temporary_folder.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace scoreact {
namespace {

AutoencoderKlConfig tiny_config() {
  AutoencoderKlConfig config;
  config.block_out_channels = {8, 16};
  config.norm_num_groups = 4;
  config.sample_size = 8;
  return config;
}

std::shared_ptr<AutoencoderKL> tiny_network(std::uint64_t seed) {
  return std::make_shared<AutoencoderKL>(tiny_config(), at::detail::createCPUGenerator(seed));
}

/// Discs of several colours and places on several grounds, 8 x 8.
CaptionedPictures discs(long count) {
  CaptionedPictures all;
  all.height = all.width = 8;
  for (long i = 0; i < count; ++i) {
    const long x = 2 + i % 4, y = 2 + i / 4 % 4;
    for (long channel = 0; channel < 3; ++channel) {
      const long inside = (i + channel) % 3 == 0 ? 230 : 30,
                 outside = (i / 16 + channel) % 2 == 0 ? 255 : 128;
      for (long p = 0; p < 64; ++p) {
        const long dx = p % 8 - x, dy = p / 8 - y;
        all.pixels.push_back(static_cast<std::uint8_t>(dx * dx + dy * dy < 6 ? inside : outside));
      }
    }
    all.captions.push_back("a disc");
    all.names.push_back("disc");
  }
  return all;
}

CaptionedRows rows_of(long count, long first, long last) {
  std::vector<long> rows;
  for (long row = first; row < last; ++row) {
    rows.push_back(row);
  }
  return captioned_rows(discs(count), rows);
}

PretrainOptions short_autoencoder_run(long iterations) {
  PretrainOptions options;
  options.iterations = iterations;
  options.batch_size = 16;
  options.micro_batch_size = 8;
  options.learning_rate = 4e-3;
  options.ema_decay = 0.9;
  options.log_freq = iterations / 4;
  return options;
}

std::vector<TrainingReport> reports_of(AutoencoderTask& task, const PretrainOptions& options) {
  std::vector<TrainingReport> reports;
  const Communicator ranks(MPI_COMM_SELF);
  train(task, options, ranks, [&reports](const TrainingReport& report) { reports.push_back(report); });
  return reports;
}

TEST(AutoencoderLoss, PartsAgreeWithPlainLoops) {
  torch::manual_seed(1);
  const at::Tensor x = torch::randn({2, 3, 4, 5}), y = torch::randn({2, 3, 4, 5});
  double horizontal = 0, vertical = 0, squares = 0;
  const auto a = x.accessor<float, 4>(), b = y.accessor<float, 4>();
  for (long n = 0; n < 2; ++n) {
    for (long c = 0; c < 3; ++c) {
      for (long i = 0; i < 4; ++i) {
        for (long j = 0; j < 5; ++j) {
          const auto off = [&](long row, long column) {
            return static_cast<double>(a[n][c][row][column]) - static_cast<double>(b[n][c][row][column]);
          };
          horizontal += j + 1 < 5 ? std::abs(off(i, j + 1) - off(i, j)) : 0;
          vertical += i + 1 < 4 ? std::abs(off(i + 1, j) - off(i, j)) : 0;
          const double clamped = std::min(1.0, std::max(-1.0, static_cast<double>(b[n][c][i][j])));
          squares += std::pow(static_cast<double>(a[n][c][i][j]) - clamped, 2);
        }
      }
    }
  }
  EXPECT_NEAR(gradient_distance(x, y).item<double>(), horizontal / 96 + vertical / 90, 1e-6);
  EXPECT_NEAR(psnr(x, y), 10 * std::log10(4 / (squares / 120)), 1e-5);

  double kl = 0;
  const at::Tensor mean = x.flatten(), logvar = y.flatten();
  for (long i = 0; i < mean.numel(); ++i) {
    const double m = mean[i].item<double>(), variance = std::exp(logvar[i].item<double>());
    kl += 0.5 * (m * m + variance - 1 - std::log(variance));
  }
  EXPECT_NEAR(mean_kl(mean, logvar).item<double>(), kl / static_cast<double>(mean.numel()), 1e-5);
}

TEST(AutoencoderTask, LossIsTheSumOfItsWeightedParts) {
  const auto network = tiny_network(2);
  PretrainOptions options = short_autoencoder_run(4);
  options.mse_weight = options.gradient_weight = options.kl_weight = 0;
  const auto loss_with = [&](double mse, double gradient, double kl) {
    options.mse_weight = mse;
    options.gradient_weight = gradient;
    options.kl_weight = kl;
    torch::NoGradGuard no_grad;
    return AutoencoderTask(network, rows_of(16, 0, 16), {}, options, 5).loss({3, 8, 4}).item<double>();
  };
  const double l1 = loss_with(0, 0, 0);
  const double all = loss_with(2, 0.25, 1e-2);
  const double sum = l1 + 2 * (loss_with(1, 0, 0) - l1) + 0.25 * (loss_with(0, 1, 0) - l1) +
                     1e-2 * (loss_with(0, 0, 1) - l1);
  EXPECT_GT(l1, 0);
  EXPECT_NEAR(all, sum, 1e-5 * all);
}

TEST(AutoencoderTask, LearnsToReconstruct) {
  const auto network = tiny_network(1);
  const PretrainOptions options = short_autoencoder_run(160);
  AutoencoderTask task(network, rows_of(96, 0, 64), rows_of(96, 64, 96), options, 7);
  const double before = task.held_out()[1];
  const auto reports = reports_of(task, options);
  EXPECT_LT(reports.back().loss, 0.5 * reports.front().loss);
  EXPECT_GT(task.held_out()[1], before + 5);
  const at::Tensor grid = task.samples();
  ASSERT_EQ(grid.sizes(), (std::vector<std::int64_t>{32, 3, 8, 8}));
  EXPECT_NEAR(psnr(grid.narrow(0, 0, 16), grid.narrow(0, 16, 16)), task.held_out()[1], 3);

  const testing_store::TemporaryFolder folder;
  task.save((folder / "vae").string());
  const auto loaded = AutoencoderKL::load((folder / "vae").string());
  EXPECT_NEAR(loaded->scaling_factor() * task.held_out()[0], 1, 1e-6);
  torch::NoGradGuard no_grad;
  const at::Tensor pixels = grid.narrow(0, 0, 4);
  EXPECT_TRUE(torch::equal(loaded->encode(pixels).first, network->encode(pixels).first));
}

TEST(AutoencoderTask, TrainsTheDecoderAlone) {
  const auto network = tiny_network(3);
  const CaptionedRows training = rows_of(64, 0, 64);
  const Communicator ranks(MPI_COMM_SELF);
  EncodedPictures latents = encode_pictures(*network, training.pictures, ranks);
  latents.logvar.fill_(-10); // an untrained encoder's own noise would hide the picture
  const PretrainOptions options = short_autoencoder_run(120);
  AutoencoderTask task(network, training, rows_of(64, 0, 16), latents, options, 7);
  const std::vector<ParameterGroup> groups = task.parameters();
  for (const auto& [name, tensor] : groups.front().tensors) {
    EXPECT_TRUE(name.starts_with("decoder.") || name.starts_with("post_quant_conv.")) << name;
  }
  const double scaling = network->scaling_factor();
  const auto reports = reports_of(task, options);
  EXPECT_LT(reports.back().loss, 0.7 * reports.front().loss);
  EXPECT_TRUE(torch::equal(encode_pictures(*network, training.pictures, ranks).mean, latents.mean));
  const testing_store::TemporaryFolder folder;
  task.save((folder / "vae").string());
  EXPECT_EQ(AutoencoderKL::load((folder / "vae").string())->scaling_factor(), scaling);
}

TEST(AutoencoderTask, RowsAreTheSameHoweverABatchIsCut) {
  const auto network = tiny_network(4);
  torch::NoGradGuard no_grad;
  AutoencoderTask task(network, rows_of(32, 0, 32), {}, short_autoencoder_run(4), 9);
  const double whole = task.loss({2, 0, 8}).item<double>();
  const double halves = (task.loss({2, 0, 4}).item<double>() + task.loss({2, 4, 4}).item<double>()) / 2;
  EXPECT_NEAR(whole, halves, 1e-5 * whole);
  EXPECT_NE(task.loss({3, 0, 8}).item<double>(), whole);
}

} // namespace
} // namespace scoreact
