/// From pictures to pixel_values, against torchvision and Pillow (tests/golden/make_clip_pixels_golden.py).
#include "models/clip/clip_pixels.hpp"

#include "models/weights.hpp"
#include "support/source_folder.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

using testing_parity::relative_error;

constexpr long size = 16;

class ClipPixels : public ::testing::TestWithParam<const char*> {
 protected:
  at::Tensor golden(const std::string& what) const {
    static const auto tensors =
        read_weights(testing_support::source_path("tests/data/clip_pixels.safetensors"));
    return tensors.at(GetParam() + std::string(".") + what);
  }
};

TEST_P(ClipPixels, OfTensorsAreTorchvisionsWithTheirGradient) {
  const at::Tensor x = golden("x").clone().requires_grad_(true);
  const at::Tensor values = clip_pixel_values(x, size);
  EXPECT_LE(relative_error(values, golden("values")), 1e-5);
  const at::Tensor gradient = torch::autograd::grad({values}, {x}, {golden("cotangent")})[0];
  EXPECT_LE(relative_error(gradient, golden("gradient")), 1e-4);
}

TEST_P(ClipPixels, OfPicturesArePillowsToTheLastBit) {
  // one 8-bit step is 1/255/0.28 = 0.014: what is nearer than 1e-5 has the same 8 bits
  const at::Tensor found = clip_pixel_values_of_pictures(golden("x"), size);
  EXPECT_LE((found - golden("pictures")).abs().max().item<double>(), 1e-5);
}

TEST_P(ClipPixels, TakeTheDifferentiableWayOnlyWhereAGraphIsRecorded) {
  const at::Tensor x = golden("x").clone().requires_grad_(true);
  EXPECT_TRUE(torch::equal(clip_pixel_values_for(x, size), clip_pixel_values(x, size)));
  EXPECT_TRUE(torch::equal(clip_pixel_values_for(x.detach(), size), clip_pixel_values_of_pictures(x, size)));
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(clip_pixel_values_for(x, size), clip_pixel_values_of_pictures(x, size)));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ClipPixels,
                         ::testing::Values("down", "landscape", "portrait", "up", "same", "cut"));

TEST(ClipPixelsOfOtherShapes, AreRefused) {
  testing_store::expect_error(ExitCode::data, "expected pictures [n, 3, height, width], found [1, 1, 8, 8]",
                              [] {
                                clip_pixel_values(torch::zeros({1, 1, 8, 8}), size);
                              });
}

} // namespace
} // namespace scoreact
