// From a Stream to a Kokkos execution space, from pointers to unmanaged Views, and the two loops that the
// kernels are made of: a team per row, and a range of chunks. Included only by kernels/*.cpp and
// kernels/detail.
#pragma once

#include <Kokkos_Core.hpp>

#include <stdexcept>
#include <string>

#include "kernels/rows.hpp"
#include "kernels/stream.hpp"

namespace scoreact::kernels::detail {

template <class Exec>
inline constexpr bool on_host = Kokkos::SpaceAccessibility<Exec, Kokkos::HostSpace>::accessible;

template <class T, class Exec>
using Matrix = Kokkos::View<T**, Kokkos::LayoutRight, typename Exec::memory_space,
                            Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
template <class T, class Exec>
using Vector = Kokkos::View<T*, Kokkos::LayoutRight, typename Exec::memory_space,
                            Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
template <class T, class Exec>
using Scalar = Kokkos::View<T, typename Exec::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

template <class Exec, class T> Matrix<T, Exec> matrix(Rows<T> rows) {
  return Matrix<T, Exec>(rows.data, rows.samples, rows.elements);
}
template <class Exec, class T> Vector<T, Exec> vector(Span<T> span) {
  return Vector<T, Exec>(span.data, span.size);
}

#ifdef KOKKOS_ENABLE_CUDA
/// The Kokkos::Cuda that stands for this stream; made once and kept until clear_instances().
Kokkos::Cuda cuda_instance(CUstream_st* stream);
#endif
/// Drops the kept instances; before Kokkos::finalize.
void clear_instances();

/// Calls action(execution space) with the space that the stream names.
template <class Action> void on_execution_space(Stream stream, const Action& action) {
  if (!stream.on_device) {
    action(Kokkos::DefaultHostExecutionSpace());
    return;
  }
#ifdef KOKKOS_ENABLE_CUDA
  action(cuda_instance(stream.handle));
#else
  throw std::logic_error("a kernel was given a CUDA stream, but Kokkos was built without CUDA");
#endif
}

inline void require(bool condition, const char* what) {
  if (!condition) {
    throw std::invalid_argument(what);
  }
}
template <class T, class U> void require_same_shape(Rows<T> a, Rows<U> b, const char* what) {
  require(a.samples == b.samples && a.elements == b.elements, what);
}

/// A team per row; on the device always 256 threads, so that a sum's order depends on nothing but the row's
/// length.
template <class Exec> Kokkos::TeamPolicy<Exec> team_per_row(const Exec& exec, long rows) {
  return Kokkos::TeamPolicy<Exec>(exec, static_cast<int>(rows), on_host<Exec> ? 1 : 256);
}

/// Independent partial sums on the host: enough for two AVX-512 or four AVX2 accumulators, so that the loop
/// is bound by memory and not by the latency of an addition. Their order is fixed, hence so is the result.
inline constexpr int lanes = 16;

/// sum of term(i), i in [0, n), in float64, by one thread.
template <class Term> KOKKOS_INLINE_FUNCTION double lane_sum(long n, const Term& term) {
  double partial[lanes] = {};
  const long whole = n - n % lanes;
  for (long i = 0; i < whole; i += lanes) {
    for (int lane = 0; lane < lanes; ++lane) {
      partial[lane] += term(i + lane);
    }
  }
  for (long i = whole; i < n; ++i) {
    partial[i - whole] += term(i);
  }
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) {
      partial[lane] += partial[lane + width];
    }
  }
  return partial[0];
}

/// The same by the team of one row; every thread of the team gets the result.
template <class Team, class Term>
KOKKOS_INLINE_FUNCTION double row_sum(const Team& team, long n, const Term& term) {
  if constexpr (on_host<typename Team::execution_space>) {
    return lane_sum(n, term);
  } else {
    double sum = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, n), [&](const long i, double& partial) { partial += term(i); }, sum);
    return sum;
  }
}

/// The iterations of the next loop touch different elements, also when a result is written over an operand.
#if defined(__clang__) && !defined(__CUDA_ARCH__)
#define SCOREACT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__) && !defined(__CUDA_ARCH__)
#define SCOREACT_INDEPENDENT _Pragma("GCC ivdep")
#else
#define SCOREACT_INDEPENDENT
#endif

/// body(i) for i in [0, n) by the team of one row; iterations are independent.
template <class Team, class Body>
KOKKOS_INLINE_FUNCTION void row_for(const Team& team, long n, const Body& body) {
  if constexpr (on_host<typename Team::execution_space>) {
    SCOREACT_INDEPENDENT
    for (long i = 0; i < n; ++i) {
      body(i);
    }
  } else {
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, n), [&](const long i) { body(i); });
  }
}

/// Writes a row's result once.
template <class Team, class Out>
KOKKOS_INLINE_FUNCTION void write_once(const Team& team, Out& target, double value) {
  if (team.team_rank() == 0) {
    target = value;
  }
}

/// How many neighbouring elements one work item takes: enough for vector loops on the host, one on the
/// device.
template <class Exec> inline constexpr long flat_chunk = on_host<Exec> ? 4096 : 1;
/// The same for columns of a [times, samples] matrix, whose running sums a work item keeps in registers or
/// cache.
template <class Exec> inline constexpr long column_chunk = on_host<Exec> ? 64 : 1;

template <class Exec> Kokkos::RangePolicy<Exec> range_of_chunks(const Exec& exec, long n, long chunk) {
  return Kokkos::RangePolicy<Exec>(exec, 0, (n + chunk - 1) / chunk);
}

} // namespace scoreact::kernels::detail
