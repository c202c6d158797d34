#include "models/pixel_unet/forward_unet2d.hpp"

#include "error/error.hpp"
#include "models/pixel_unet/pixel_unet.hpp"

#include <torch/torch.h>

namespace scoreact {

NamedTensors forward_unet2d(const std::string& directory, ForwardInputs& inputs, c10::Device device) {
  ScheduleOptions any_schedule; // the network alone does not need one; a bare network folder has none
  any_schedule.kind = "linear";
  const auto model = PixelUnet::load(directory, any_schedule, device);
  const at::Tensor sample = inputs.required("sample");
  SCOREACT_REQUIRE(sample.dim() == 4, ExitCode::data,
                   "sample: expected [batch, channels, height, width], found {} axes", sample.dim());
  const at::Tensor timestep = inputs.required_for_rows("timestep", sample.size(0)).to(at::kFloat);
  at::Tensor labels;
  if (inputs.contains("class_labels")) {
    const auto classes = model->config().num_class_embeds;
    SCOREACT_REQUIRE(classes, ExitCode::data,
                     "class_labels: this model has no class embedding (num_class_embeds is null)");
    labels = inputs.required_for_rows("class_labels", sample.size(0)).to(at::kLong);
    SCOREACT_REQUIRE(labels.min().item<long>() >= 0 && labels.max().item<long>() < *classes, ExitCode::data,
                     "class_labels: expected numbers from 0 to {}", *classes - 1);
  }
  return {{"sample", model->forward(sample, timestep, labels)}};
}

} // namespace scoreact
