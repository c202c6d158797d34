#include "models/stable_diffusion/channels_last.hpp"

#include <torch/torch.h>

namespace scoreact {

void to_channels_last(torch::nn::Module& network) {
  for (at::Tensor& parameter : network.parameters())
    if (parameter.dim() == 4)
      parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast));
}

void to_channels_last_on_tensor_cores(torch::nn::Module& network) {
  const std::vector<at::Tensor> parameters = network.parameters();
  if (parameters.empty() || !parameters.front().is_cuda())
    return;
  const bool half = parameters.front().scalar_type() == at::kBFloat16;
  if (half || at::globalContext().allowTF32CuDNN())
    to_channels_last(network);
}

} // namespace scoreact
