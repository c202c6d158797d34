#include "models/registry.hpp"

#include "error/error.hpp"
#include "models/analytic/analytic_denoiser.hpp"
#include "models/pixel_unet/pixel_unet.hpp"

namespace scoreact {

std::shared_ptr<Denoiser> make_denoiser(const ModelOptions& model, const ScheduleOptions& schedule,
                                        c10::Device device) {
  if (model.kind == "analytic") {
    return make_analytic_denoiser(model.analytic, schedule);
  }
  SCOREACT_REQUIRE(model.kind == "pixel_unet", ExitCode::data,
                   "model.kind: expected pixel_unet or analytic, found \"{}\"", model.kind);
  SCOREACT_REQUIRE(!model.path.empty(), ExitCode::data,
                   "model.path: expected the folder of a UNet2DModel for model.kind = pixel_unet");
  SCOREACT_REQUIRE(model.train == "full", ExitCode::data,
                   "model.train: a pixel_unet is trained in full; expected full, found \"{}\"", model.train);
  return PixelUnet::load(model.path, schedule, device);
}

} // namespace scoreact
