#include "rewards/jpeg_reward.hpp"

#include "error/error.hpp"
#include "rewards/jpeg_size.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

class JpegReward : public Reward {
 public:
  JpegReward(std::string name, double sign, bool with_header)
      : name_(std::move(name)), sign_(sign), with_header_(with_header) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor&) override {
    const at::Tensor images = to_uint8_images(x);
    at::Tensor reward = torch::empty({x.size(0)}, torch::kFloat32);
    float* out = reward.data_ptr<float>();
    const long count = images.size(0), height = images.size(1), width = images.size(2),
               channels = images.size(3);
    const auto* pixels = images.data_ptr<std::uint8_t>();
    for (long i = 0; i < count; ++i) {
      const JpegSize size = jpeg_size(pixels + i * height * width * channels, height, width, channels);
      const std::size_t bytes = with_header_ ? size.file : size.scan;
      out[i] = static_cast<float>(sign_ * static_cast<double>(bytes) / 1000.0);
    }
    return reward.to(x.device());
  }
  bool differentiable() const override { return false; }
  std::string name() const override { return name_; }

 private:
  std::string name_;
  double sign_;
  bool with_header_;
};

} // namespace

at::Tensor to_uint8_images(const at::Tensor& x) {
  torch::NoGradGuard no_grad;
  const at::Tensor scaled = (x / 2 + 0.5).clamp(0, 1) * 255;
  return at::round(scaled).to(at::kCPU, at::kByte).permute({0, 2, 3, 1}).contiguous();
}

std::shared_ptr<Reward> make_jpeg_reward(const std::string& kind, const std::vector<long>& sample_shape,
                                         bool with_header) {
  SCOREACT_REQUIRE(
      sample_shape.size() == 3 && (sample_shape[0] == 1 || sample_shape[0] == 3), ExitCode::data,
      "reward.kind = {}: a JPEG needs images of 1 or 3 channels; this model's samples have {} axes{}", kind,
      sample_shape.size(),
      sample_shape.empty() ? std::string() : fmt::format(", the first of {}", sample_shape[0]));
  return std::make_shared<JpegReward>(kind, kind == "jpeg_compressibility" ? -1.0 : 1.0, with_header);
}

} // namespace scoreact
