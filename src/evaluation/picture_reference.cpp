#include "evaluation/picture_reference.hpp"

#include "data/image_data.hpp"
#include "error/error.hpp"
#include "evaluation/picture_statistics.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <filesystem>

namespace scoreact {
namespace {

/// Pictures of one call of Inception: 299 x 299 whatever their size.
constexpr long kAtOnce = 50;

std::unique_ptr<PictureReference> pixel_reference(DataOptions options, const std::string& path,
                                                  const std::vector<long>& shape, const Communicator& ranks) {
  auto reference = std::make_unique<PictureReference>();
  reference->features = [](const at::Tensor& pixels) { return pixels.flatten(1); };
  if (!ranks.root())
    return reference;
  options.path = path;
  const ImageData data = read_images(options);
  SCOREACT_REQUIRE((shape == std::vector<long>{data.channels, data.height, data.width}), ExitCode::data,
                   "evaluate.reference = {}: pictures of {} x {} x {}, the model draws others", path,
                   data.channels, data.height, data.width);
  reference->fit = fit_gaussian(at::from_blob(const_cast<float*>(data.pixels.data()),
                                              {data.count(), data.pixels_per_image()}, at::kFloat));
  return reference;
}

GaussianFit inception_fit(const std::string& path, const InceptionFid& network, c10::Device device,
                          const Communicator& ranks) {
  if (std::filesystem::path(path).extension() == ".npz")
    return ranks.root() ? read_statistics(path) : GaussianFit{};
  return picture_statistics(*open_pictures(path), {.network = network, .device = device}, ranks, [](long) {});
}

} // namespace

PictureFeatures inception_features(std::shared_ptr<InceptionFid> network) {
  return [network = std::move(network)](const at::Tensor& pixels) {
    const at::Tensor bytes = (pixels * 127.5 + 127.5).round().clamp(0, 255);
    const at::Tensor rgb = bytes.size(1) == 1 ? bytes.expand({-1, 3, -1, -1}) : bytes;
    std::vector<at::Tensor> features;
    for (long first = 0; first < rgb.size(0); first += kAtOnce) {
      const at::Tensor some = rgb.narrow(0, first, std::min(kAtOnce, rgb.size(0) - first));
      features.push_back(network->features(inception_input(some, InputConvention::pytorch_fid)));
    }
    return at::cat(features);
  };
}

std::unique_ptr<PictureReference> open_reference(const EvaluateOptions& evaluate, const DataOptions& data,
                                                 const std::vector<long>& pixel_shape, c10::Device device,
                                                 const Communicator& ranks) {
  if (evaluate.reference.empty())
    return nullptr;
  if (evaluate.inception.empty())
    return ranks.together([&] { return pixel_reference(data, evaluate.reference, pixel_shape, ranks); });
  SCOREACT_REQUIRE(pixel_shape.size() == 3 && (pixel_shape[0] == 1 || pixel_shape[0] == 3), ExitCode::data,
                   "evaluate.inception: expected a model of pictures with 1 or 3 channels");
  auto network = ranks.together([&] { return InceptionFid::load(evaluate.inception, device); });
  auto reference = std::make_unique<PictureReference>();
  reference->fit = inception_fit(evaluate.reference, *network, device, ranks);
  reference->features = inception_features(std::move(network));
  return reference;
}

} // namespace scoreact
