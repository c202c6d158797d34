// The fused group norm and SiLU against LibTorch's own operators and autograd.
#include "models/group_norm_silu.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

struct Shape {
  long rows, channels, height, width, groups;
  bool shifted;
  at::MemoryFormat order = at::MemoryFormat::Contiguous;
};

class GroupNormSiluOnShapes : public testing::TestWithParam<Shape> {};

/// Largest difference relative to the largest magnitude.
double error_of_largest(const at::Tensor& got, const at::Tensor& wanted) {
  return ((got - wanted).abs().max() / wanted.abs().max()).item<double>();
}

TEST_P(GroupNormSiluOnShapes, MatchesLibTorchAndItsAutograd) {
  const Shape& c = GetParam();
  torch::manual_seed(7);
  const auto leaf = [](const at::Tensor& values) { return values.clone().set_requires_grad(true); };
  const at::Tensor x0 = (3 * torch::randn({c.rows, c.channels, c.height, c.width}) + 0.7).contiguous(c.order);
  const at::Tensor shift0 = torch::randn({c.rows, c.channels});
  const at::Tensor weight0 = 1 + 0.3 * torch::randn({c.channels}), bias0 = 0.5 * torch::randn({c.channels});
  const at::Tensor cotangent = torch::randn_like(x0);
  // the reference in float64, so that the difference is the kernel's own rounding
  const auto wide = [&](const at::Tensor& values) { return leaf(values.to(at::kDouble)); };
  const at::Tensor x = wide(x0), shift = wide(shift0), weight = wide(weight0), bias = wide(bias0);
  const at::Tensor sum = c.shifted ? x + shift.view({c.rows, c.channels, 1, 1}) : x;
  const at::Tensor expected = at::silu(at::group_norm(sum, c.groups, weight, bias, 1e-5));
  expected.backward(cotangent.to(at::kDouble));

  const at::Tensor fx = leaf(x0), fshift = leaf(shift0), fweight = leaf(weight0), fbias = leaf(bias0);
  const at::Tensor got =
      group_norm_silu(fx, c.shifted ? fshift : at::Tensor(), fweight, fbias, c.groups, 1e-5);
  got.backward(cotangent);
  EXPECT_TRUE(got.is_contiguous(c.order));
  EXPECT_LT(error_of_largest(got, expected), 1e-6);
  EXPECT_LT(error_of_largest(fx.grad(), x.grad()), 3e-6);
  EXPECT_LT(error_of_largest(fweight.grad(), weight.grad()), 3e-6);
  EXPECT_LT(error_of_largest(fbias.grad(), bias.grad()), 3e-6);
  if (c.shifted) {
    // a shift of a whole group changes nothing: where a group is one channel the derivative is 0 but for
    // rounding
    const double scale = x.grad().abs().max().item<double>() * static_cast<double>(c.height * c.width);
    EXPECT_LT((fshift.grad() - shift.grad()).abs().max().item<double>(), 1e-6 * scale);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, GroupNormSiluOnShapes,
                         testing::Values(Shape{16, 16, 8, 8, 8, true}, Shape{5, 48, 8, 8, 8, false},
                                         Shape{3, 32, 4, 4, 8, true}, Shape{3, 32, 6, 6, 8, true},
                                         Shape{4, 8, 7, 5, 8, true}, Shape{1, 6, 1, 1, 2, true},
                                         Shape{2, 12, 9, 3, 1, false}));

constexpr auto last = at::MemoryFormat::ChannelsLast;
INSTANTIATE_TEST_SUITE_P(ChannelsLast, GroupNormSiluOnShapes,
                         testing::Values(Shape{16, 16, 8, 8, 8, true, last},
                                         Shape{5, 48, 8, 8, 8, false, last},
                                         Shape{3, 32, 4, 4, 8, true, last},
                                         Shape{3, 20, 12, 9, 5, true, last}, Shape{4, 3, 7, 5, 3, true, last},
                                         Shape{2, 6, 2, 1, 2, true, last},
                                         Shape{1, 12, 33, 31, 1, false, last}));

class GroupNormSiluInOrder : public testing::TestWithParam<at::MemoryFormat> {};
INSTANTIATE_TEST_SUITE_P(Orders, GroupNormSiluInOrder, testing::Values(at::MemoryFormat::Contiguous, last));

TEST_P(GroupNormSiluInOrder, GivesARowTheSameBitsInAnyBatch) {
  torch::manual_seed(8);
  const at::Tensor x = torch::randn({7, 16, 8, 8}).contiguous(GetParam()), shift = torch::randn({7, 16});
  const at::Tensor weight = torch::rand({16}), bias = torch::rand({16});
  torch::NoGradGuard no_grad;
  const at::Tensor all = group_norm_silu(x, shift, weight, bias, 8, 1e-5);
  for (long row = 0; row < 7; ++row) {
    const at::Tensor one =
        group_norm_silu(x.narrow(0, row, 1), shift.narrow(0, row, 1), weight, bias, 8, 1e-5);
    EXPECT_TRUE(at::equal(one, all.narrow(0, row, 1)));
  }
}

TEST(GroupNormSilu, SaturatesWithoutOverflow) {
  // z = +-150 after the affine map: silu(z) is z or 0 to float32
  const at::Tensor x = torch::cat({torch::full({32}, -1.0F), torch::full({32}, 1.0F)}).view({1, 1, 8, 8});
  const at::Tensor y =
      group_norm_silu(x, {}, torch::tensor({150.0F}), torch::tensor({0.0F}), 1, 1e-12).flatten();
  EXPECT_NEAR(y[0].item<float>(), 0.0F, 1e-20F);
  EXPECT_FLOAT_EQ(y[63].item<float>(), 150.0F);
}

TEST_P(GroupNormSiluInOrder, PassesNaNOn) {
  at::Tensor x = torch::randn({2, 4, 6, 6});
  x.flatten()[3] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor y =
      group_norm_silu(x.contiguous(GetParam()), {}, torch::ones({4}), torch::zeros({4}), 2, 1e-5);
  EXPECT_TRUE(y[0].narrow(0, 0, 2).isnan().all().item<bool>());
  EXPECT_FALSE(y[0].narrow(0, 2, 2).isnan().any().item<bool>());
  EXPECT_FALSE(y[1].isnan().any().item<bool>());
}

TEST(GroupNormSilu, RefusesASecondDerivative) {
  const at::Tensor x = torch::randn({2, 4, 6, 6}).set_requires_grad(true);
  const at::Tensor y = group_norm_silu(x, {}, torch::ones({4}), torch::zeros({4}), 2, 1e-5);
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {x}, {}, true, true), Error);
}

} // namespace
} // namespace scoreact
