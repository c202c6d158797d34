#pragma once
/// Damage that depends on a number only: the same input on every machine, with any standard library.
#include <cstdint>
#include <string>
#include <vector>

namespace scoreact::fuzz {

/// A member of `corpus` (not empty) with one to eight changes: bits flipped, bytes and whole numbers replaced
/// by telling ones, pieces removed, doubled, moved in from another member, the end cut off.
std::string mutated(const std::vector<std::string>& corpus, std::uint64_t number);

} // namespace scoreact::fuzz
