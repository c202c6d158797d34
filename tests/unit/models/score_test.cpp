#include "models/denoiser.hpp"

#include "error/error.hpp"
#include "models/scheduler_config.hpp"
#include "models/weights.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <fstream>

namespace scoreact {
namespace {

using testing_store::TemporaryFolder;

Schedule schedule() { return Schedule::scaled_linear(1000, 0.00085, 0.012); }

/// Knows the noise and the data, and tells them in whatever form is asked for; the null prompt adds 1 to eps.
class Oracle : public Denoiser {
 public:
  Oracle(Prediction prediction, at::Tensor data, at::Tensor noise)
      : prediction_(prediction), data_(std::move(data)), noise_(std::move(noise)),
        schedule_(scoreact::schedule()) {}

  at::Tensor predict(const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt) override {
    ++calls;
    const long copies = x.size(0) / noise_.size(0);
    const at::Tensor alpha = times.alpha.view({-1, 1}), sigma = times.sigma.view({-1, 1});
    at::Tensor eps = noise_.repeat({copies, 1}) + (prompt < 0).to(torch::kFloat32).view({-1, 1});
    at::Tensor data = (x - sigma * eps) / alpha;
    switch (prediction_) {
    case Prediction::epsilon:
      return eps;
    case Prediction::sample:
      return data;
    case Prediction::score:
      return -eps / sigma;
    case Prediction::v_prediction:
      return alpha * eps - sigma * data;
    }
    return {};
  }
  Prediction prediction() const override { return prediction_; }
  std::vector<long> sample_shape() const override { return {data_.size(1)}; }
  const Schedule& schedule() const override { return schedule_; }
  long num_prompts() const override { return 3; }
  std::vector<std::pair<std::string, at::Tensor>> named_parameters() override { return {}; }
  std::shared_ptr<Denoiser> frozen_copy() const override { return nullptr; }
  void save(const std::string&) const override {}
  int calls = 0;

 private:
  Prediction prediction_;
  at::Tensor data_, noise_;
  Schedule schedule_;
};

class ScoreOf : public ::testing::TestWithParam<Prediction> {};

TEST_P(ScoreOf, IsMinusNoiseOverSigmaAndTweedieReturnsTheData) {
  const at::Tensor data = torch::randn({4, 5}), noise = torch::randn({4, 5}),
                   prompt = torch::zeros({4}, torch::kLong);
  const std::vector<std::pair<double, double>> tau_abar = {{0.2, schedule().abar(0.2)},
                                                           {0.7, schedule().abar(0.7)}};
  const RowTimes times = row_times(schedule(), tau_abar, 2, data);
  EXPECT_NEAR(times.timestep[0].item<double>(), 199.0, 1e-4);
  EXPECT_NEAR(times.timestep[3].item<double>(), 699.0, 1e-4);
  EXPECT_NEAR(times.alpha[2].item<double>(), std::sqrt(schedule().abar(0.7)), 1e-7);
  const at::Tensor x = times.alpha.view({-1, 1}) * data + times.sigma.view({-1, 1}) * noise;
  Oracle oracle(GetParam(), data, noise);
  const at::Tensor s = score(oracle, x, times, prompt, 1.0);
  EXPECT_EQ(oracle.calls, 1);
  EXPECT_TRUE(torch::allclose(s, -noise / times.sigma.view({-1, 1}), 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(tweedie_mean(x, s, times), data, 1e-3, 1e-3));
}

TEST_P(ScoreOf, IsGuidedAwayFromTheNullCondition) {
  const at::Tensor data = torch::randn({4, 5}), noise = torch::randn({4, 5}),
                   prompt = torch::zeros({4}, torch::kLong);
  const RowTimes times = row_times(schedule(), {{0.5, schedule().abar(0.5)}}, 4, data);
  const at::Tensor sigma = times.sigma.view({-1, 1});
  const at::Tensor x = times.alpha.view({-1, 1}) * data + sigma * noise;
  Oracle oracle(GetParam(), data, noise);
  // eps_u = eps + 1, so eps_u + w (eps_c - eps_u) = eps + 1 - w
  const at::Tensor guided = score(oracle, x, times, prompt, 3.0);
  EXPECT_EQ(oracle.calls, 1);
  EXPECT_TRUE(torch::allclose(guided, -(noise - 2.0) / sigma, 1e-3, 1e-3));
}

INSTANTIATE_TEST_SUITE_P(Predictions, ScoreOf,
                         ::testing::Values(Prediction::epsilon, Prediction::sample, Prediction::score,
                                           Prediction::v_prediction));

TEST(SchedulerConfig, IsReadFromAFolderAndWrittenBack) {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  for (const char* kind : {"linear", "scaled_linear", "squaredcos_cap_v2"}) {
    std::ofstream(path + "/scheduler_config.json")
        << R"({"_class_name": "DDPMScheduler", "beta_schedule": ")" << kind
        << R"(", "beta_start": 0.001, "beta_end": 0.01, "num_train_timesteps": 100, "prediction_type": "v_prediction"})";
    const SchedulerConfig config = read_scheduler_config(path);
    EXPECT_EQ(config.schedule.size(), 100);
    EXPECT_EQ(config.prediction, Prediction::v_prediction);
    write_scheduler_config(config, path);
    EXPECT_EQ(read_scheduler_config(path).schedule.alphas_cumprod(), config.schedule.alphas_cumprod())
        << kind;
  }
}

TEST(SchedulerConfig, UsesTrainedBetasAndRefusesWhatHasNoScore) {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  std::ofstream(path + "/scheduler_config.json")
      << R"({"trained_betas": [0.1, 0.2], "num_train_timesteps": 2})";
  const SchedulerConfig config = read_scheduler_config(path);
  ASSERT_EQ(config.schedule.size(), 2);
  EXPECT_DOUBLE_EQ(config.schedule.abar_at_index(1), 0.9 * 0.8);
  std::ofstream(path + "/scheduler_config.json") << R"({"rescale_betas_zero_snr": true})";
  EXPECT_THROW(read_scheduler_config(path), Error);
  std::ofstream(path + "/scheduler_config.json") << R"({"beta_schedule": "sigmoid"})";
  EXPECT_THROW(read_scheduler_config(path), Error);
  ScheduleOptions own;
  own.kind = "linear";
  own.num_train_timesteps = 7;
  EXPECT_EQ(scheduler_of(path, own).schedule.size(), 7);
}

TEST(Weights, OldAttentionNamesAreTranslatedOnlyInsideAttentions) {
  EXPECT_EQ(modern_attention_name("mid_block.attentions.0.query.weight"),
            "mid_block.attentions.0.to_q.weight");
  EXPECT_EQ(modern_attention_name("up_blocks.1.attentions.2.proj_attn.bias"),
            "up_blocks.1.attentions.2.to_out.0.bias");
  EXPECT_EQ(modern_attention_name("mid_block.attentions.0.to_k.bias"), "mid_block.attentions.0.to_k.bias");
  EXPECT_EQ(modern_attention_name("encoder.query.weight"), "encoder.query.weight");
}

TEST(Weights, LinearWeightsMayStandAsOneByOneConvolutions) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "w.safetensors").string();
  const at::Tensor value = torch::randn({3, 2});
  write_weights(path, {{"attentions.0.key.weight", value.view({3, 2, 1, 1})},
                       {"embeddings.position_ids", torch::zeros({2})}});
  const at::Tensor destination = torch::zeros({3, 2});
  load_weights({{"attentions.0.to_k.weight", destination}}, path);
  EXPECT_TRUE(torch::equal(destination, value));
}

} // namespace
} // namespace scoreact
