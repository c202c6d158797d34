#include "run/network_setup.hpp"

#include "parallel/shard.hpp"

#include <algorithm>

namespace scoreact {

RewardContext reward_context(const std::shared_ptr<Denoiser>& network,
                             const std::vector<std::string>& prompts, long sample_micro_batch,
                             c10::Device device) {
  RewardContext context;
  context.prompts = prompts;
  context.device = device;
  if (network->pixel_shape() == network->sample_shape())
    return context;
  context.to_pixels = [network](const at::Tensor& latents) { return network->to_pixels(latents); };
  const std::vector<long> shape = network->pixel_shape();
  constexpr long kPixelsAtOnce = 512 * 512; // of a decoder with its graph
  constexpr long kPicturesToFillADevice = 8;
  const long few = std::max(1L, kPixelsAtOnce / (shape[1] * shape[2]));
  context.decoded_with_graph = largest_divisor(sample_micro_batch, few);
  context.decoded_together =
      largest_divisor(sample_micro_batch, device.is_cuda() ? kPicturesToFillADevice * few : few);
  return context;
}

c10::Device device_of(int device_id) {
  return device_id < 0 ? c10::Device(c10::kCPU)
                       : c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device_id));
}

} // namespace scoreact
