#include "data/image_data.hpp"

#include "error/error.hpp"
#include "kernels/normal_noise.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace scoreact {

Split split_rows(long count, double test_fraction) {
  SCOREACT_REQUIRE(test_fraction >= 0 && test_fraction < 1, ExitCode::data,
                   "data.test_fraction: expected a number in [0, 1), found {}", test_fraction);
  // A fixed key: the split belongs to the data, not to a run.
  const kernels::NoiseKey key{.seed = 0x5C02EAC7u, .purpose = kernels::Purpose::label};
  std::vector<double> rank(static_cast<std::size_t>(count));
  for (long row = 0; row < count; ++row) {
    rank[static_cast<std::size_t>(row)] = kernels::uniform_at(key, row, 0);
  }
  std::vector<long> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0L);
  std::stable_sort(order.begin(), order.end(), [&rank](long a, long b) {
    return rank[static_cast<std::size_t>(a)] < rank[static_cast<std::size_t>(b)];
  });
  const long held_out = std::lround(test_fraction * static_cast<double>(count));
  Split split{.train = {order.begin() + held_out, order.end()},
              .test = {order.begin(), order.begin() + held_out}};
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.test.begin(), split.test.end());
  return split;
}

std::vector<std::int64_t> noisy_labels(const std::vector<std::int64_t>& labels, double noise,
                                       long num_classes, std::uint64_t seed) {
  SCOREACT_REQUIRE(noise >= 0 && noise <= 1, ExitCode::data,
                   "data.label_noise: expected a share from 0 to 1, found {}", noise);
  SCOREACT_REQUIRE(noise == 0 || num_classes > 1, ExitCode::data,
                   "data.label_noise: one class has no wrong labels");
  const kernels::NoiseKey key{.seed = seed, .epoch = 1, .purpose = kernels::Purpose::label};
  std::vector<std::int64_t> noisy = labels;
  for (std::size_t row = 0; row < noisy.size(); ++row) {
    const auto sample = static_cast<std::int64_t>(row);
    if (kernels::uniform_at(key, sample, 0) < noise) {
      const double draw = kernels::uniform_at(key, sample, 1) * static_cast<double>(num_classes - 1);
      noisy[row] = (noisy[row] + 1 + static_cast<std::int64_t>(draw)) % num_classes;
    }
  }
  return noisy;
}

} // namespace scoreact
