#include "evaluation/golden_runner.hpp"

#include "data/picture_file.hpp"
#include "error/error.hpp"
#include "evaluation/draw_as_scheduler.hpp"
#include "evaluation/draw_clipped.hpp"
#include "evaluation/known_noise.hpp"
#include "models/pixel_unet/pixel_unet.hpp"
#include "models/stable_diffusion/stable_diffusion.hpp"
#include "rewards/image_reward_score.hpp"
#include "rewards/reward.hpp"
#include "store/npz_file.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

/// The noise that a golden begins with, [1, ...] fp32; more is drawn from `generator` if it is torch's.
at::Tensor noise_of(const Golden& golden, const std::vector<long>& sample_shape,
                    const at::Generator& generator) {
  std::vector<std::int64_t> shape = sample_shape;
  shape.insert(shape.begin(), 1);
  return golden.numpy_noise ? numpy_noise(golden.seed, shape) : torch_noise(generator, shape);
}

/// diffusers' SchedulerClass.from_config(the folder's file, **settings), or SchedulerClass(**settings).
SchedulerConfig scheduler_of_golden(const Golden& golden, const std::string& model) {
  nlohmann::json json = golden.own_file ? scheduler_json(model) : nlohmann::json::object();
  json.update(golden.scheduler);
  return scheduler_from_json(json, model + ": scheduler of the golden \"" + golden.name + '"');
}

std::vector<double> numbers_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kCPU, at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

/// A picture of a file as pipelines give them, [1, 3, H, W] in [-1, 1].
at::Tensor picture(const fs::path& file) {
  Picture read = read_picture(file);
  const at::Tensor bytes =
      at::from_blob(read.pixels.data(), {1, read.height, read.width, 3}, at::kByte).to(at::kFloat);
  return (bytes / 127.5 - 1).permute({0, 3, 1, 2}).contiguous();
}

double difference_of(const std::vector<double>& found, const std::vector<double>& expected, bool cosine) {
  double largest = 0, product = 0, square = 0, square_expected = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    largest = std::isnan(difference) ? difference : std::max(largest, difference);
    product += found[i] * expected[i];
    square += found[i] * found[i];
    square_expected += expected[i] * expected[i];
  }
  return cosine ? 1 - product / std::sqrt(square * square_expected) : largest;
}

} // namespace

struct GoldenRunner::Loaded {
  std::string prompt, lora;
  std::shared_ptr<StableDiffusion> pipeline;
};

GoldenRunner::GoldenRunner(std::string model, std::string files, c10::Device device)
    : model_(std::move(model)), files_(std::move(files)), device_(device) {}

GoldenRunner::~GoldenRunner() = default;

std::optional<std::string> GoldenRunner::missing_file(const Golden& golden) const {
  for (const std::string& file : golden.files())
    if (!fs::exists(fs::path(files_) / file))
      return file;
  return std::nullopt;
}

at::Tensor GoldenRunner::drawn(const Golden& golden) {
  torch::NoGradGuard no_grad;
  const SchedulerConfig scheduler = scheduler_of_golden(golden, model_);
  const at::Generator generator = torch_generator(golden.seed);
  at::Tensor pixels;
  if (golden.kind == "pixel_unet") {
    const auto network = PixelUnet::load(model_, {}, device_);
    const at::Tensor noise = noise_of(golden, network->sample_shape(), generator).to(device_);
    pixels = draw_clipped(*network, scheduler, solver_of(scheduler), golden.steps, noise, generator);
  } else {
    if (!loaded_ || loaded_->prompt != golden.prompt || loaded_->lora != golden.lora) {
      loaded_.reset(); // one at a time in memory
      auto pipeline = StableDiffusion::load(model_, {}, {{golden.prompt}, ""}, {}, device_);
      if (!golden.lora.empty())
        pipeline->load_lora((fs::path(files_) / golden.lora).string());
      loaded_ = std::make_unique<Loaded>(Loaded{golden.prompt, golden.lora, std::move(pipeline)});
    }
    const auto& pipeline = loaded_->pipeline;
    const at::Tensor noise = noise_of(golden, pipeline->sample_shape(), generator).to(device_);
    SampleOptions sample;
    sample.solver = solver_of(scheduler);
    sample.num_steps = golden.steps;
    sample.eta = 0;
    sample.guidance_scale = golden.guidance;
    const at::Tensor prompt = at::zeros({1}, at::TensorOptions(device_).dtype(at::kLong));
    pixels = pipeline->to_pixels(
        draw_as_scheduler(pipeline, for_stable_diffusion(scheduler), sample, {1, 1, 0, 1}, prompt, noise, {})
            .finals);
  }
  return (pixels / 2 + 0.5).clamp(0, 1).squeeze(0).permute({1, 2, 0});
}

std::vector<double> GoldenRunner::rewards_of(const Golden& golden) {
  torch::NoGradGuard no_grad;
  const auto reward = make_image_reward(model_, {golden.prompt}, device_);
  const at::Tensor prompt = at::zeros({1}, at::TensorOptions(device_).dtype(at::kLong));
  std::vector<double> rewards;
  for (const std::string& file : golden.pictures)
    rewards.push_back((*reward)(picture(fs::path(files_) / file).to(device_), prompt).item<double>());
  return rewards;
}

GoldenResult GoldenRunner::run(const Golden& golden) {
  GoldenResult result;
  result.expected = golden.expected;
  if (golden.kind == "image_reward") {
    result.found = rewards_of(golden);
  } else if (golden.expected_file.empty()) {
    const at::Tensor image = drawn(golden);
    result.found = numbers_of(image.slice(0, -3).slice(1, -3).select(2, -1));
  } else {
    const std::string file = (fs::path(files_) / golden.expected_file).string();
    const NpyNumbers whole = read_npy(file);
    const at::Tensor image = drawn(golden);
    SCOREACT_REQUIRE(image.sizes().vec() == whole.shape, ExitCode::data,
                     "{}: expected a picture of shape [{}], which the model draws, found [{}]", file,
                     fmt::join(image.sizes().vec(), ", "), fmt::join(whole.shape, ", "));
    result.expected = whole.values;
    result.found = numbers_of(image);
  }
  SCOREACT_REQUIRE(result.found.size() == result.expected.size(), ExitCode::data,
                   "{}: expected {} numbers, found {}", golden.name, result.expected.size(),
                   result.found.size());
  result.difference = difference_of(result.found, result.expected, golden.cosine_distance);
  return result;
}

} // namespace scoreact
