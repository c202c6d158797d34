// diffusers' DDIM and DDPM with clip_sample: the loops and pipelines of its own tests, whose numbers need no
// weights (tests/schedulers/test_scheduler_{ddim,ddpm}.py, tests/pipelines/{ddim,ddpm}, Apache-2.0), with
// their tolerances.
#include "evaluation/draw_clipped.hpp"

#include "evaluation/known_noise.hpp"
#include "models/pixel_unet/pixel_unet.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

namespace scoreact {
namespace {

SchedulerConfig scheduler(const nlohmann::json& settings) { return scheduler_from_json(settings, "test"); }

/// m(x, t) = x t / (t + 1)
class Dummy : public Denoiser {
 public:
  Dummy(Schedule schedule, Prediction prediction) : schedule_(std::move(schedule)), prediction_(prediction) {}
  at::Tensor predict(const at::Tensor& x, const RowTimes& times, const at::Tensor&) override {
    const at::Tensor t = times.timestep.round().view({-1, 1, 1, 1});
    return x * t / (t + 1);
  }
  Prediction prediction() const override { return prediction_; }
  std::vector<long> sample_shape() const override { return {3, 8, 8}; }
  const Schedule& schedule() const override { return schedule_; }
  long num_prompts() const override { return 0; }
  std::vector<std::pair<std::string, at::Tensor>> named_parameters() override { return {}; }
  std::shared_ptr<Denoiser> frozen_copy() const override { return nullptr; }
  void save(const std::string&) const override {}

 private:
  Schedule schedule_;
  Prediction prediction_;
};

double sum_of(const nlohmann::json& settings, const std::string& solver, long steps) {
  const SchedulerConfig config = scheduler(settings);
  Dummy dummy(config.schedule, config.prediction);
  const at::Tensor x =
      (torch::arange(768, torch::kFloat) / 768).view({3, 8, 8, 4}).permute({3, 0, 1, 2}).contiguous();
  return draw_clipped(dummy, config, solver, steps, x, torch_generator(0)).abs().sum().item<double>();
}

TEST(DrawClipped, LoopsAsDiffusers) {
  EXPECT_NEAR(sum_of({}, "ddim", 10), 172.0067, 1e-2);
  EXPECT_NEAR(sum_of({{"prediction_type", "v_prediction"}}, "ddim", 10), 52.5302, 1e-2);
  EXPECT_NEAR(sum_of({{"beta_start", 0.01}, {"set_alpha_to_one", true}}, "ddim", 10), 149.8295, 1e-2);
  EXPECT_NEAR(sum_of({{"beta_start", 0.01}, {"set_alpha_to_one", false}}, "ddim", 10), 149.0784, 1e-2);
  EXPECT_NEAR(sum_of({}, "ddpm", 1000), 258.9606, 1e-2);
  EXPECT_NEAR(sum_of({{"prediction_type", "v_prediction"}}, "ddpm", 1000), 202.0296, 1e-2);
}

TEST(DrawClipped, ClipsOnlyIfTheFileSaysSo) {
  // x0hat stays within [-1, 1] here
  EXPECT_GT(std::abs(sum_of({{"clip_sample_range", 0.1}}, "ddim", 10) - 172.0067), 1);
  EXPECT_NEAR(sum_of({{"clip_sample", false}, {"clip_sample_range", 0.1}}, "ddim", 10), 172.0067, 1e-2);
}

/// The lower right 3 x 3 of the last channel in [0, 1], of a network with torch's initial values of seed 0.
std::vector<float> corner(const std::string& solver) {
  UnetConfig config;
  config.sample_height = config.sample_width = 8;
  config.block_out_channels = {4, 8};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  config.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
  config.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
  PixelUnet network(config, scheduler({}), 0);
  const at::Generator generator = torch_generator(0);
  const at::Tensor noise = torch_noise(generator, {1, 3, 8, 8});
  const at::Tensor x = draw_clipped(network, network.scheduler(), solver, 2, noise, generator);
  const at::Tensor part = (x / 2 + 0.5).clamp(0, 1)[0][2].slice(0, -3).slice(1, -3).flatten().contiguous();
  return {part.data_ptr<float>(), part.data_ptr<float>() + 9};
}

TEST(DrawClipped, DrawsThePicturesOfDiffusersPipelines) {
  const std::vector<float> ddpm = {0, 0.9996672F, 0.00329116F, 1, 0.9995991F, 1, 0.0060907F, 0.00115037F, 0};
  const std::vector<float> ddim = {0, 0.9979F, 0, 0.9999F, 0.9986F, 0.9991F, 7.106e-4F, 0, 0};
  const std::vector<float> found_ddpm = corner("ddpm"), found_ddim = corner("ddim");
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(found_ddpm[i], ddpm[i], 1e-2) << i;
    EXPECT_NEAR(found_ddim[i], ddim[i], 1e-3) << i;
  }
}

} // namespace
} // namespace scoreact
