#include "models/image_reward/forward_image_reward.hpp"

#include "error/error.hpp"
#include "models/image_reward/image_reward.hpp"

#include <torch/torch.h>

namespace scoreact {

NamedTensors forward_image_reward(const std::string& directory, ForwardInputs& inputs, c10::Device device) {
  const auto network = ImageReward::load(directory, device);
  const at::Tensor pixels = inputs.required("pixel_values"), ids = inputs.required("input_ids"),
                   mask = inputs.required("attention_mask");
  const long words = network->config().text.vocab_size;
  SCOREACT_REQUIRE(ids.numel() == 0 ||
                       (ids.min().item<double>() >= 0 && ids.max().item<double>() < double(words)),
                   ExitCode::data, "input_ids: expected numbers from 0 to {}", words - 1);
  const at::Tensor raw = network->forward(pixels, ids.to(at::kLong), mask);
  return {{"reward", ImageReward::normalised(raw).unsqueeze(1)}}; // [n, 1], as the original's score_gard
}

} // namespace scoreact
