// Philox against the known-answer vectors published with Random123 (kat_vectors, philox4x32 10).
#include "kernels/philox.hpp"

#include <gtest/gtest.h>

#include <array>

namespace scoreact::kernels {
namespace {

std::array<std::uint32_t, 4> words(const Philox4& p) { return {p.word0, p.word1, p.word2, p.word3}; }
using Words = std::array<std::uint32_t, 4>;

TEST(Philox, GivesThePublishedAnswerForZeros) {
  EXPECT_EQ(words(philox4x32_10({0, 0, 0, 0}, 0, 0)),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(Philox, GivesThePublishedAnswerForOnes) {
  EXPECT_EQ(words(philox4x32_10({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u)),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Philox, GivesThePublishedAnswerForTheDigitsOfPi) {
  EXPECT_EQ(words(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0)),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

} // namespace
} // namespace scoreact::kernels
