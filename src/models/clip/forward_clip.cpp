#include "models/clip/forward_clip.hpp"

#include "error/error.hpp"
#include "models/clip/clip.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

struct TextInputs {
  at::Tensor ids, mask;
};

TextInputs text_inputs(ForwardInputs& inputs, const ClipTextConfig& config) {
  TextInputs text{inputs.required("input_ids"), inputs.optional("attention_mask")};
  SCOREACT_REQUIRE(text.ids.numel() == 0 || (text.ids.min().item<double>() >= 0 &&
                                             text.ids.max().item<double>() < double(config.vocab_size)),
                   ExitCode::data, "input_ids: expected numbers from 0 to {}", config.vocab_size - 1);
  text.ids = text.ids.to(at::kLong);
  return text;
}

} // namespace

NamedTensors forward_clip_text(const std::string& directory, ForwardInputs& inputs, c10::Device device) {
  const auto model = ClipText::load(directory, device);
  const TextInputs text = text_inputs(inputs, model->config());
  const ClipTextOutput output = model->forward(text.ids, text.mask);
  return {{"last_hidden_state", output.last_hidden_state}, {"pooler_output", output.pooler_output}};
}

NamedTensors forward_clip_vision(const std::string& directory, ForwardInputs& inputs, c10::Device device) {
  return {{"image_embeds", ClipVision::load(directory, device)->forward(inputs.required("pixel_values"))}};
}

NamedTensors forward_clip(const std::string& directory, ForwardInputs& inputs, c10::Device device) {
  if (!inputs.contains("input_ids")) {
    return forward_clip_vision(directory, inputs, device);
  }
  const auto model = Clip::load(directory, device);
  const TextInputs text = text_inputs(inputs, model->config().text);
  const at::Tensor text_embeds = model->text_embeds(text.ids, text.mask);
  if (!inputs.contains("pixel_values")) {
    const ClipTextOutput states = model->text_states(text.ids, text.mask);
    return {{"last_hidden_state", states.last_hidden_state},
            {"pooler_output", states.pooler_output},
            {"text_embeds", text_embeds}};
  }
  const auto unit = [](const at::Tensor& x) { return x / x.norm(2, 1, /*keepdim=*/true); };
  const at::Tensor words = unit(text_embeds),
                   image = unit(model->image_embeds(inputs.required("pixel_values")));
  const at::Tensor per_text = at::matmul(words, image.t()) * model->logit_scale().exp();
  return {{"logits_per_image", per_text.t()},
          {"logits_per_text", per_text},
          {"text_embeds", words},
          {"image_embeds", image}};
}

} // namespace scoreact
