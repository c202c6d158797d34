// Between tensors and kernels: no copy on the CPU, and errors that name what is wrong.
#include "bridge/bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "error/error.hpp"

namespace scoreact::bridge {
namespace {

template <class Call> std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Bridge, SharesTheMemoryOfATensor) {
  const at::Tensor images = torch::randn({4, 3, 8, 8});
  const Rows<float> view = rows<float>(images);
  EXPECT_EQ(view.data, images.data_ptr<float>());
  EXPECT_EQ(view.samples, 4);
  EXPECT_EQ(view.elements, 192);
  EXPECT_EQ(span<const float>(images).size, 768);
  EXPECT_EQ(span<const float>(images).data, images.data_ptr<float>());
}

TEST(Bridge, GivesAVectorRowsOfOneElementAndAnEmptyBatchNone) {
  EXPECT_EQ(rows<double>(torch::zeros({5}, torch::kFloat64)).elements, 1);
  EXPECT_EQ(rows<float>(torch::zeros({0, 3})).samples, 0);
}

TEST(Bridge, PassesCpuArgumentsWithoutACopy) {
  const at::Tensor tensor = torch::randn({4, 6});
  EXPECT_FALSE(staged(tensor));
  EXPECT_FALSE(stream_of(tensor).on_device);
  const Input<float> input(tensor);
  EXPECT_EQ(input.rows().data, tensor.data_ptr<float>());
  EXPECT_EQ(input.span().data, tensor.data_ptr<float>());
  const Output<float> output(tensor), updated(tensor, Contents::updated);
  EXPECT_EQ(output.rows().data, tensor.data_ptr<float>());
  EXPECT_EQ(updated.span().data, tensor.data_ptr<float>());
}

TEST(Bridge, ShowsATrajectoryBufferWithoutACopy) {
  kernels::TrajectoryBuffer buffer(3, 4, 5);
  at::Tensor tensor = as_tensor(buffer);
  EXPECT_EQ(tensor.data_ptr(), static_cast<void*>(buffer.data()));
  EXPECT_EQ(tensor.sizes(), (at::IntArrayRef{3, 4, 5}));
  if (buffer.on_device()) {
    GTEST_SKIP() << "the buffer lives on the device";
  }
  tensor.fill_(0);
  tensor[1].fill_(7);
  EXPECT_EQ(buffer.at(1).data[19], 7);
  EXPECT_EQ(buffer.at(2).data[0], 0);
}

TEST(Bridge, NamesTheWrongDtype) {
  EXPECT_THAT(message_of([] {
                rows<float>(torch::zeros({2, 2}, torch::kFloat64));
              }),
              testing::AllOf(testing::HasSubstr("Float"), testing::HasSubstr("Double")));
}

TEST(Bridge, RefusesATensorThatIsNotContiguousOrUndefined) {
  EXPECT_THAT(message_of([] { rows<float>(torch::zeros({3, 2}).t()); }), testing::HasSubstr("contiguous"));
  EXPECT_THAT(message_of([] {
                Input<float>(torch::zeros({4, 4}).slice(1, 0, 2));
              }),
              testing::HasSubstr("contiguous"));
  EXPECT_THAT(message_of([] { span<float>(at::Tensor()); }), testing::HasSubstr("undefined"));
}

} // namespace
} // namespace scoreact::bridge
