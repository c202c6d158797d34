#pragma once
/// The known word nearest to a mistyped one, by edit distance with transpositions (Damerau, restricted).
#include <string>
#include <vector>

namespace scoreact {

/// Fewest insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
long edit_distance(const std::string& a, const std::string& b);

/// The nearest of `known`, or "" if none is near enough to be meant (more than a third of the longer word
/// differs).
std::string nearest(const std::string& word, const std::vector<std::string>& known);

} // namespace scoreact
