#pragma once
/// How the benchmarks count: bytes a call, each array once a pass as read or written, and the share of the
/// machine's memory bandwidth (STREAM triad) that this is.
#include <benchmark/benchmark.h>

#include <cstdint>

namespace scoreact {

inline double triad_bytes_per_second = 0; ///< measured by main before the first benchmark

inline void report(benchmark::State& state, double bytes_per_call) {
  const double total = bytes_per_call * static_cast<double>(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(total));
  state.counters["triad_share"] =
      benchmark::Counter(total / triad_bytes_per_second, benchmark::Counter::kIsRate);
}

} // namespace scoreact
