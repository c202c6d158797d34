#include "models/registry.hpp"

#include "error/error.hpp"
#include "models/analytic/analytic_denoiser.hpp"
#include "models/pixel_unet/pixel_unet.hpp"
#include "models/stable_diffusion/stable_diffusion.hpp"

namespace scoreact {
namespace {

TrainedPart trained_part(const ModelOptions& model, bool half) {
  using Kind = TrainedPart::Kind;
  const Kind kind = model.train == "lora" ? Kind::lora : model.train == "full" ? Kind::all : Kind::nothing;
  return {kind, model.lora_rank, model.lora_alpha, model.lora_targets, half};
}

} // namespace

std::shared_ptr<Denoiser> make_denoiser(const ModelOptions& model, const ScheduleOptions& schedule,
                                        c10::Device device, const TextConditions& texts, bool half) {
  if (model.kind == "analytic") {
    return make_analytic_denoiser(model.analytic, schedule);
  }
  if (model.kind == "stable_diffusion") {
    SCOREACT_REQUIRE(!model.path.empty(), ExitCode::data,
                     "model.path: expected the folder of a StableDiffusionPipeline for model.kind = "
                     "stable_diffusion");
    return StableDiffusion::load(model.path, schedule, texts, trained_part(model, half), device);
  }
  SCOREACT_REQUIRE(model.kind == "pixel_unet", ExitCode::data,
                   "model.kind: expected pixel_unet, stable_diffusion or analytic, found \"{}\"", model.kind);
  SCOREACT_REQUIRE(!model.path.empty(), ExitCode::data,
                   "model.path: expected the folder of a UNet2DModel for model.kind = pixel_unet");
  SCOREACT_REQUIRE(model.train == "full", ExitCode::data,
                   "model.train: a pixel_unet is trained in full; expected full, found \"{}\"", model.train);
  return PixelUnet::load(model.path, schedule, device);
}

} // namespace scoreact
