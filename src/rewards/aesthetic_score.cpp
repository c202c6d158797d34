#include "rewards/aesthetic_score.hpp"

#include "error/error.hpp"
#include "models/clip/clip_pixels.hpp"
#include "models/clip/clip_vision.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

/// The maps in order, each with its weight and its bias; dropouts stand between in the original.
class AestheticScore : public Reward {
 public:
  AestheticScore(std::shared_ptr<ClipVision> clip, std::vector<std::pair<at::Tensor, at::Tensor>> maps)
      : clip_(std::move(clip)), maps_(std::move(maps)) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor&) override {
    const at::Tensor pixels = clip_pixel_values_for(x, clip_->config().image_size);
    const at::Tensor embedding = clip_->forward(pixels);
    at::Tensor state = embedding / embedding.norm(2, 1, /*keepdim=*/true);
    for (const auto& [weight, bias] : maps_) {
      state = at::linear(state, weight, bias);
    }
    return state.squeeze(1);
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "aesthetic"; }

 private:
  std::shared_ptr<ClipVision> clip_;
  std::vector<std::pair<at::Tensor, at::Tensor>> maps_;
};

std::string head_in(const fs::path& directory) {
  const std::string stem = "sac+logos+ava1-l14-linearMSE";
  for (const char* ending : {".safetensors", ".pth"}) {
    if (fs::exists(directory / (stem + ending))) {
      return (directory / (stem + ending)).string();
    }
  }
  SCOREACT_FAIL(ExitCode::missing_input, "{}: cannot open {}.safetensors or {}.pth in this folder",
                directory.string(), stem, stem);
}

} // namespace

std::shared_ptr<Reward> make_aesthetic_score(const std::string& clip_directory, const std::string& head,
                                             c10::Device device) {
  const std::string file = head.empty() ? head_in(clip_directory) : head;
  auto clip = ClipVision::load(clip_directory, device);
  std::vector<std::pair<at::Tensor, at::Tensor>> maps;
  const auto tensors = read_weights(file);
  long inputs = clip->config().projection_dim;
  for (const int layer : {0, 2, 4, 6, 7}) {
    const std::string name = fmt::format("layers.{}.", layer);
    const auto weight = tensors.find(name + "weight"), bias = tensors.find(name + "bias");
    SCOREACT_REQUIRE(weight != tensors.end() && bias != tensors.end(), ExitCode::data,
                     "{}: expected tensors {}weight and {}bias", file, name, name);
    SCOREACT_REQUIRE(weight->second.dim() == 2 && weight->second.size(1) == inputs &&
                         bias->second.dim() == 1 && bias->second.size(0) == weight->second.size(0),
                     ExitCode::data, "{}: {}weight: expected [outputs, {}] with as many biases, found [{}]",
                     file, name, inputs, fmt::join(weight->second.sizes().vec(), ", "));
    inputs = weight->second.size(0);
    maps.emplace_back(weight->second.to(device, at::kFloat), bias->second.to(device, at::kFloat));
  }
  SCOREACT_REQUIRE(inputs == 1 && tensors.size() == 10, ExitCode::data,
                   "{}: expected five linear maps, the last of which gives 1 number; found {} tensors, {} "
                   "numbers",
                   file, tensors.size(), inputs);
  return std::make_shared<AestheticScore>(std::move(clip), std::move(maps));
}

} // namespace scoreact
