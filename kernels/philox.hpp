// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
// easy as 1, 2, 3" (SC11). 128 bits of counter and 64 bits of key give 128 random bits; equal inputs give
// equal bits on every machine, so noise is a function of (seed, epoch, sample, step, element) and never of
// how a run is split over ranks. Usable on host and device, with or without Kokkos.
#pragma once

#include <array>
#include <cstdint>

#if defined(__CUDACC__) || defined(__HIPCC__)
#define SCOREACT_FUNCTION __host__ __device__
#else
#define SCOREACT_FUNCTION
#endif

namespace scoreact::kernels {

/// Counter, and result, of one Philox call.
struct Philox4 {
  std::uint32_t word0, word1, word2, word3;
};

/// One call: ten rounds.
SCOREACT_FUNCTION constexpr Philox4 philox4x32_10(Philox4 counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter.word0;
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter.word2;
    counter = Philox4{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word1 ^ key0,
                      static_cast<std::uint32_t>(product1),
                      static_cast<std::uint32_t>(product0 >> 32) ^ counter.word3 ^ key1,
                      static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

} // namespace scoreact::kernels
