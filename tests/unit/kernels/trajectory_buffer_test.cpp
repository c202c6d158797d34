// The buffer's layout and ownership, and what the runtime says of itself.
#include "kernels/trajectory_buffer.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "kernels/runtime.hpp"

namespace scoreact::kernels {
namespace {

static_assert(!std::is_copy_constructible_v<TrajectoryBuffer>);
static_assert(std::is_nothrow_move_constructible_v<TrajectoryBuffer>);

TEST(TrajectoryBuffer, IsLaidOutTimeThenSampleThenElement) {
  const TrajectoryBuffer buffer(4, 3, 5);
  for (long time = 0; time < 4; ++time) {
    const Rows<float> rows = buffer.at(time);
    EXPECT_EQ(rows.data, buffer.data() + time * 15);
    EXPECT_EQ(rows.samples, 3);
    EXPECT_EQ(rows.elements, 5);
  }
  EXPECT_THROW(buffer.at(4), std::out_of_range);
  EXPECT_THROW(buffer.at(-1), std::out_of_range);
}

TEST(TrajectoryBuffer, MovesItsMemory) {
  TrajectoryBuffer buffer(2, 3, 5);
  float* const memory = buffer.data();
  const TrajectoryBuffer moved = std::move(buffer);
  EXPECT_EQ(moved.data(), memory);
}

TEST(TrajectoryBuffer, RefusesNegativeExtents) {
  EXPECT_THROW(TrajectoryBuffer(-1, 2, 3), std::invalid_argument);
}

TEST(Runtime, NamesTheVersionAndTheExecutionSpace) {
  EXPECT_NE(configuration().find("Kokkos "), std::string::npos);
  EXPECT_EQ(kernels_run_on_device(), configuration().find("kernels on Cuda") != std::string::npos);
}

} // namespace
} // namespace scoreact::kernels
