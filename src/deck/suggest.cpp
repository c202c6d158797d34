#include "deck/suggest.hpp"

#include <algorithm>

namespace scoreact {

long edit_distance(const std::string& a, const std::string& b) {
  const std::size_t n = b.size();
  std::vector<long> before_last(n + 1), last(n + 1), row(n + 1);
  for (std::size_t j = 0; j <= n; ++j)
    last[j] = static_cast<long>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<long>(i);
    for (std::size_t j = 1; j <= n; ++j) {
      const long substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[n];
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  constexpr std::size_t longest_word = 128; // what is longer was not meant as a key
  if (word.size() > longest_word)
    return "";
  std::string best;
  long best_distance = 0;
  for (const std::string& candidate : known) {
    const long distance = edit_distance(word, candidate);
    if (best.empty() || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  const long tolerance = std::max<long>(2, static_cast<long>(std::max(word.size(), best.size())) / 3);
  return best_distance <= tolerance ? best : "";
}

} // namespace scoreact
