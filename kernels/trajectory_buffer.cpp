#include "kernels/trajectory_buffer.hpp"

#include "kernels/detail/execution.hpp"

namespace scoreact::kernels {

struct TrajectoryBuffer::Storage {
  Kokkos::View<float***, Kokkos::LayoutRight, Kokkos::DefaultExecutionSpace::memory_space> view;
};

TrajectoryBuffer::TrajectoryBuffer(long times, long samples, long elements)
    : storage_(std::make_unique<Storage>()), times_(times), samples_(samples), elements_(elements) {
  detail::require(times >= 0 && samples >= 0 && elements >= 0,
                  "TrajectoryBuffer: extents must not be negative");
  storage_->view =
      decltype(storage_->view)(Kokkos::view_alloc(Kokkos::WithoutInitializing, "scoreact::TrajectoryBuffer"),
                               times, samples, elements);
}

TrajectoryBuffer::~TrajectoryBuffer() = default;
TrajectoryBuffer::TrajectoryBuffer(TrajectoryBuffer&&) noexcept = default;
TrajectoryBuffer& TrajectoryBuffer::operator=(TrajectoryBuffer&&) noexcept = default;

Rows<float> TrajectoryBuffer::at(long time) const {
  if (time < 0 || time >= times_) {
    throw std::out_of_range("TrajectoryBuffer: time " + std::to_string(time) + " of " +
                            std::to_string(times_));
  }
  return {data() + time * samples_ * elements_, samples_, elements_};
}

float* TrajectoryBuffer::data() const { return storage_ ? storage_->view.data() : nullptr; }

bool TrajectoryBuffer::on_device() const { return !detail::on_host<Kokkos::DefaultExecutionSpace>; }

} // namespace scoreact::kernels
