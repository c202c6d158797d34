#include "pretraining/training_batches.hpp"

#include "bridge/bridge.hpp"
#include "kernels/normal_noise.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

/// Iterations take the step's place in the counter; purposes are shared with the sampler, seeds are not: the
/// epoch marks pretraining.
constexpr std::uint32_t pretraining_epoch = 0xFFFFFF00u;

kernels::NoiseKey key_of(std::uint64_t seed, long iteration, long what, kernels::Purpose purpose) {
  return {seed, pretraining_epoch + static_cast<std::uint32_t>(what), static_cast<std::uint32_t>(iteration),
          purpose};
}

} // namespace

at::Tensor random_integers(std::uint64_t seed, long iteration, long what, long first, long count,
                           long bound) {
  at::Tensor integers = torch::empty({count}, torch::kInt64);
  auto* out = integers.data_ptr<std::int64_t>();
  const kernels::NoiseKey key = key_of(seed, iteration, what, kernels::Purpose::time);
  for (long i = 0; i < count; ++i) {
    out[i] = static_cast<std::int64_t>(kernels::uniform_at(key, first + i, 0) * static_cast<double>(bound));
  }
  return integers;
}

at::Tensor random_uniform(std::uint64_t seed, long iteration, long what, long first, long count) {
  at::Tensor uniform = torch::empty({count, 1}, torch::kFloat32);
  {
    bridge::Output<float> out(uniform);
    kernels::uniform_noise(bridge::stream_of(uniform),
                           key_of(seed, iteration, what, kernels::Purpose::augmentation), first, out.rows());
  }
  return uniform.squeeze(1);
}

at::Tensor random_normal_like(const at::Tensor& like, std::uint64_t seed, long iteration, long first,
                              long what) {
  at::Tensor noise = torch::empty(like.sizes(), like.options().requires_grad(false));
  {
    bridge::Output<float> out(noise);
    kernels::normal_noise(bridge::stream_of(noise),
                          key_of(seed, iteration, what, kernels::Purpose::forward_noise), first, out.rows());
  }
  return noise;
}

TrainingBatches::TrainingBatches(const ImageData& data, const std::vector<long>& rows,
                                 const std::vector<std::int64_t>& labels, std::uint64_t seed,
                                 c10::Device device)
    : seed_(seed) {
  const at::Tensor index = torch::tensor(std::vector<std::int64_t>(rows.begin(), rows.end()));
  const at::Tensor pixels = torch::tensor(data.pixels);
  images_ =
      pixels.view({data.count(), data.channels, data.height, data.width}).index_select(0, index).to(device);
  labels_ = torch::tensor(labels).index_select(0, index).to(device);
}

ImageBatch TrainingBatches::draw(const BatchRows& batch) const {
  const at::Tensor rows =
      random_integers(seed_, batch.iteration, 0, batch.first, batch.count, count()).to(labels_.device());
  return {images_.index_select(0, rows), labels_.index_select(0, rows)};
}

ImageBatch TrainingBatches::all() const { return {images_, labels_}; }

} // namespace scoreact
