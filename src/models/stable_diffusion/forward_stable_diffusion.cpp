#include "models/stable_diffusion/forward_stable_diffusion.hpp"

#include "error/error.hpp"
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "models/stable_diffusion/lora.hpp"
#include "models/stable_diffusion/unet2d_condition.hpp"

#include <torch/torch.h>

namespace scoreact {

NamedTensors forward_unet2d_condition(const std::string& directory, ForwardInputs& inputs,
                                      c10::Device device) {
  const auto network = UNet2DCondition::load(directory, device);
  if (!inputs.lora().empty())
    load_lora(*network, inputs.lora());
  const at::Tensor sample = inputs.required("sample");
  SCOREACT_REQUIRE(sample.dim() == 4, ExitCode::data,
                   "sample: expected [batch, channels, height, width], found {} axes", sample.dim());
  const at::Tensor timestep = inputs.required_for_rows("timestep", sample.size(0)).to(at::kFloat);
  const at::Tensor context = inputs.required("encoder_hidden_states");
  inputs.differentiate(lora_parameters(*network));
  return {{"sample", network->forward(sample, timestep, context)}};
}

NamedTensors forward_autoencoder_kl(const std::string& directory, ForwardInputs& inputs, c10::Device device) {
  SCOREACT_REQUIRE(inputs.contains("latents") != inputs.contains("sample"), ExitCode::data,
                   "{}: expected either latents (to decode) or sample (to encode)", inputs.path());
  const auto network = AutoencoderKL::load(directory, device);
  if (inputs.contains("latents"))
    return {{"sample", network->decode(inputs.required("latents"))}};
  const auto [mean, logvar] = network->encode(inputs.required("sample"));
  return {{"mean", mean}, {"logvar", logvar}};
}

} // namespace scoreact
